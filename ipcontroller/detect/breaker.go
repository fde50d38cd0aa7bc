package detect

import "time"

const longestBreak = time.Hour
