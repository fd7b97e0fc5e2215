package condition

import (
	"net/netip"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// celValue turns what value.Type.Decode returns into a CEL value that nothing
// changes and goroutines may share.
func celValue(v any) ref.Val {
	switch v := v.(type) {
	case nil:
		return types.NullValue
	case bool:
		return types.Bool(v)
	case int64:
		return types.Int(v)
	case uint64:
		return types.Uint(v)
	case float64:
		return types.Double(v)
	case string:
		return types.String(v)
	case []byte:
		return types.Bytes(v)
	case time.Duration:
		return types.Duration{Duration: v}
	case time.Time:
		return types.Timestamp{Time: v}
	case netip.Addr:
		return ip{v}
	case []any:
		list := make([]ref.Val, len(v))
		for i, element := range v {
			list[i] = celValue(element)
		}
		return types.NewRefValList(types.DefaultTypeAdapter, list)
	case map[string]any:
		m := make(map[ref.Val]ref.Val, len(v))
		for name, element := range v {
			m[types.String(name)] = celValue(element)
		}
		return types.NewRefValMap(types.DefaultTypeAdapter, m)
	default:
		return types.NewErr("unexpected value")
	}
}
