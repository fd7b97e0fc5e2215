package raftstore

import (
	"context"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// raftLogger gives Raft's log lines to slog, two steps down: what Raft calls a
// warning is the daily life of a cluster, and what it calls an error is mostly a
// peer that cannot be reached.
type raftLogger struct {
	hclog.Logger // what is not overridden discards
	to           *slog.Logger
}

func newRaftLogger(to *slog.Logger) hclog.Logger {
	return &raftLogger{Logger: hclog.NewNullLogger(), to: to.With("part", "raft")}
}

func (l *raftLogger) log(level slog.Level, message string, args []any) {
	l.to.Log(context.Background(), level, message, args...)
}

func (l *raftLogger) Trace(message string, args ...any) {}
func (l *raftLogger) Debug(message string, args ...any) {}
func (l *raftLogger) Info(message string, args ...any)  { l.log(slog.LevelDebug, message, args) }
func (l *raftLogger) Warn(message string, args ...any)  { l.log(slog.LevelDebug, message, args) }
func (l *raftLogger) Error(message string, args ...any) { l.log(slog.LevelInfo, message, args) }

func (l *raftLogger) Log(level hclog.Level, message string, args ...any) {
	switch level {
	case hclog.Info:
		l.Info(message, args...)
	case hclog.Warn:
		l.Warn(message, args...)
	case hclog.Error:
		l.Error(message, args...)
	}
}

func (l *raftLogger) With(args ...any) hclog.Logger {
	return &raftLogger{Logger: l.Logger, to: l.to.With(args...)}
}

func (l *raftLogger) Named(name string) hclog.Logger      { return l }
func (l *raftLogger) ResetNamed(name string) hclog.Logger { return l }
