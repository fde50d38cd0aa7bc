package dialect

type target struct{}
