// Package charts owns the proof of the Helm charts: the real helm renders them, the objects are decoded strictly, a
// real API server takes them, and the real programs accept the configuration and live with the rights in them.
package charts
