package rollout

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// notReached is the reason of a condition nothing has been found out about.
const notReached = "NotReached"

func newReport() Report {
	var r Report
	for _, t := range []string{Detected, Supported, Validated, Applied, Loaded, Resolving, Conflict, Degraded} {
		r.Conditions = append(r.Conditions, metav1.Condition{
			Type: t, Status: metav1.ConditionUnknown, Reason: notReached, Message: "not found out yet",
		})
	}
	return r
}

// Condition of one of the types above; the zero Condition for any other type.
func (r Report) Condition(conditionType string) metav1.Condition {
	for _, c := range r.Conditions {
		if c.Type == conditionType {
			return c
		}
	}
	return metav1.Condition{}
}

// Is says whether the condition is True.
func (r Report) Is(conditionType string) bool {
	return r.Condition(conditionType).Status == metav1.ConditionTrue
}

func (r *Report) set(conditionType string, status metav1.ConditionStatus, reason, format string, args ...any) {
	for i := range r.Conditions {
		if c := &r.Conditions[i]; c.Type == conditionType {
			c.Status, c.Reason, c.Message = status, reason, clip(fmt.Sprintf(format, args...))
		}
	}
}

func (r *Report) yes(conditionType, reason, format string, args ...any) {
	r.set(conditionType, metav1.ConditionTrue, reason, format, args...)
}

func (r *Report) no(conditionType, reason, format string, args ...any) {
	r.set(conditionType, metav1.ConditionFalse, reason, format, args...)
}

func (r *Report) unknown(conditionType, reason, format string, args ...any) {
	r.set(conditionType, metav1.ConditionUnknown, reason, format, args...)
}

// maxMessage is far below what the API server takes in a condition; nobody reads more.
const maxMessage = 2000

func clip(s string) string {
	s = strings.TrimSpace(s)
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + " …"
}
