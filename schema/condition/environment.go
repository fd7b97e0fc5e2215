package condition

import (
	"fmt"
	"net/netip"
	"reflect"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/pemba-authz/pemba/schema/condition/value"
)

// instant is the variable behind now(). No expression can name it: '@' does not
// stand in identifiers.
const instant = "@now"

// environment is what every condition can use: CEL's standard library with
// optionals, now(), ipaddress with in_cidr(), and isSubtreeOf().
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewCustomEnv(
		// matches() is this package's own: see regexp.go.
		cel.StdLib(cel.StdLibSubset(env.NewLibrarySubset().AddExcludedFunctions(env.NewFunction(overloads.Matches)))),
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserRecursionLimit(MaxDepth),
		cel.ParserExpressionSizeLimit(MaxBodyBytes),
		cel.ParserErrorRecoveryLimit(8),
		cel.ExpressionNodeLimit(MaxNodes),

		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals()),
		cel.Variable(instant, cel.TimestampType),
		cel.Macros(cel.GlobalMacro("now", 0, func(f cel.MacroExprFactory, _ ast.Expr, _ []ast.Expr) (ast.Expr, *cel.Error) {
			return f.NewIdent(instant), nil
		})),
		cel.Function("ipaddress", cel.Overload("string_to_ipaddress",
			[]*cel.Type{cel.StringType}, ipType, cel.UnaryBinding(parseIP))),
		cel.Function("in_cidr", cel.MemberOverload("ipaddress_in_cidr_string",
			[]*cel.Type{ipType, cel.StringType}, cel.BoolType, cel.BinaryBinding(inCIDR))),
		cel.Function("isSubtreeOf", cel.MemberOverload(subtreeOverload,
			[]*cel.Type{treeType, treeType}, cel.BoolType, cel.BinaryBinding(isSubtreeOf))),
		cel.CostModel(cost.MemberOverload(subtreeOverload, cost.ManualCost(estimateSubtree, trackSubtree))),
	)
})

const subtreeOverload = "map_is_subtree_of_map"

var (
	ipType   = cel.OpaqueType("ipaddress")
	treeType = cel.MapType(cel.StringType, cel.DynType)
)

// ip is an address as a CEL value.
type ip struct{ netip.Addr }

// ConvertToNative returns the netip.Addr, or its text.
func (i ip) ConvertToNative(t reflect.Type) (any, error) {
	switch t {
	case reflect.TypeFor[netip.Addr]():
		return i.Addr, nil
	case reflect.TypeFor[string]():
		return i.String(), nil
	}
	return nil, fmt.Errorf("an ipaddress is no %v", t)
}

// ConvertToType converts to itself, to a string, and to its type.
func (i ip) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case ipType:
		return i
	case types.StringType:
		return types.String(i.String())
	case types.TypeType:
		return ipType
	}
	return types.NewErr("an ipaddress does not convert to %s", t.TypeName())
}

// Equal compares addresses; an IPv4 address is the same in both notations.
func (i ip) Equal(other ref.Val) ref.Val {
	o, ok := other.(ip)
	return types.Bool(ok && o.Addr == i.Addr)
}

// Type is the CEL type ipaddress.
func (i ip) Type() ref.Type { return ipType }

// Value is the netip.Addr.
func (i ip) Value() any { return i.Addr }

func parseIP(text ref.Val) ref.Val {
	s, ok := text.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(text)
	}
	addr, err := value.ParseIP(string(s))
	if err != nil {
		return types.NewErr("ipaddress(): %v", err)
	}
	return ip{addr}
}

func inCIDR(address, text ref.Val) ref.Val {
	addr, ok := address.(ip)
	s, isString := text.(types.String)
	if !ok || !isString {
		return types.MaybeNoSuchOverloadErr(text)
	}
	prefix, err := netip.ParsePrefix(string(s))
	if err != nil {
		return types.NewErr("in_cidr(): this is no range of addresses, like 10.0.0.0/8 or 2001:db8::/32")
	}
	// A range of IPv4 addresses that is written as IPv6 is the IPv4 range.
	if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return types.Bool(prefix.Contains(addr.Addr))
}

// isSubtreeOf says whether everything in one map stands in the other with the
// same value, maps inside maps likewise. Contexts bound the depth.
func isSubtreeOf(left, right ref.Val) ref.Val {
	l, ok := left.(traits.Mapper)
	r, also := right.(traits.Mapper)
	if !ok || !also {
		return types.MaybeNoSuchOverloadErr(right)
	}
	return types.Bool(subtree(l, r))
}

func subtree(left, right traits.Mapper) bool {
	for it := left.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		lv, _ := left.Find(key)
		rv, found := right.Find(key)
		if !found {
			return false
		}
		lm, ok := lv.(traits.Mapper)
		rm, also := rv.(traits.Mapper)
		if ok && also {
			if !subtree(lm, rm) {
				return false
			}
		} else if types.Equal(lv, rv) != types.True {
			return false
		}
	}
	return true
}

func estimateSubtree(estimator cost.Estimator, target *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	if target == nil {
		return nil
	}
	// The hint counts all that is inside, maps in maps too: no context holds more.
	size := cost.UnknownSizeEstimate()
	if hint := estimator.EstimateSize(*target); hint != nil {
		size = *hint
	}
	return cost.NewCallEstimate(size.MultiplyByCostFactor(1).Add(cost.CallCostEstimate), nil)
}

func trackSubtree(args []ref.Val, _ ref.Val) *uint64 {
	total := 1 + nodes(args[0])
	return &total
}

func nodes(v ref.Val) uint64 {
	m, ok := v.(traits.Mapper)
	if !ok {
		return 1
	}
	total := uint64(1)
	for it := m.Iterator(); it.HasNext() == types.True; {
		if v, found := m.Find(it.Next()); found {
			total += nodes(v)
		}
	}
	return total
}
