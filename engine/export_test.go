package engine

// ClimbAtOnce makes every check walk upwards from its subject first, so that
// small worlds test it, too. It returns what sets that back.
func ClimbAtOnce() (restore func()) {
	old := firstClimb
	firstClimb = 0
	return func() { firstClimb = old }
}
