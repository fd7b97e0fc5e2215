package scenario

import (
	"fmt"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// CodeDuplicateTuple refuses a tuple that a list holds twice.
const CodeDuplicateTuple schema.RefusalCode = "duplicate_tuple"

// Refused says why one of a list of tuples is not admitted.
type Refused struct {
	Index   int // of the tuple in the list
	Code    schema.RefusalCode
	Message string
}

// Admit judges tuples as if they were written in their order to an empty store:
// each by itself, none twice, and no more of them than "at most" allows.
func Admit(admitter *schema.Admitter, tuples []tuple.Tuple) []Refused {
	seen := map[tuple.Key]bool{}
	type userset struct {
		object   tuple.Object
		relation string
	}
	count := map[userset]int{}
	var refused []Refused
	for i, t := range tuples {
		if refusal := admitter.Admit(t); refusal != nil {
			refused = append(refused, Refused{i, refusal.Code, refusal.Error()})
			continue
		}
		if seen[t.Key] {
			refused = append(refused, Refused{i, CodeDuplicateTuple, fmt.Sprintf("%s is given twice", t.Key)})
			continue
		}
		seen[t.Key] = true
		of := userset{t.Object, t.Relation}
		count[of]++
		if most := admitter.Relation(t.Object.Type, t.Relation).AtMost; most > 0 && count[of] > most {
			refused = append(refused, Refused{i, schema.CodeAtMost,
				fmt.Sprintf("%s: %s#%s has at most %d subjects", t.Key, t.Object, t.Relation, most)})
		}
	}
	return refused
}
