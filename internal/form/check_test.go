package form_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"domicile.dev/internal/form"
	"domicile.dev/internal/programme"
)

func TestCheckReportsFlowsThatWouldSendNothing(t *testing.T) {
	w := open(t)
	if faults := form.Check(w.p); len(faults) > 0 {
		t.Fatal(faults)
	}
	var tree map[string]any
	src, _ := json.Marshal(w.p)
	_ = json.Unmarshal(src, &tree)
	delete(tree, "pseudonymised_as")
	src, _ = json.Marshal(tree)
	p, err := programme.Load(fstest.MapFS{"p.yaml": {Data: src}})
	if err != nil {
		t.Fatal(err)
	}
	faults := form.Check(p)
	if len(faults) != 8 || !strings.Contains(faults[0].Path, "event_analytics") { // three flows: 2+1, 2+1 and 1+1
		t.Errorf("%d faults: %v", len(faults), faults)
	}
}

// Of two flows that count the same for one recipient the numbers can be taken from each other.
func TestCheckReportsCountsThatCanBeTakenFromEachOther(t *testing.T) {
	w := open(t)
	for name, c := range map[string]struct {
		change map[string]any
		want   int
	}{
		"the same kinds":        {map[string]any{}, 1},
		"one of the kinds":      {map[string]any{"kinds": []string{"call.status"}, "min_group": 5}, 1},
		"for another recipient": {map[string]any{"to": "sp-03"}, 0},
		"from another region":   {map[string]any{"from": "us1"}, 0},
		"not as counts":         {map[string]any{"form": "pseudonymised", "window": nil, "min_group": nil, "dimensions": nil, "categories": []string{"electronic_communications_metadata"}}, 0},
	} {
		var tree map[string]any
		src, _ := json.Marshal(w.p)
		_ = json.Unmarshal(src, &tree)
		for _, f := range tree["flows"].([]any) {
			if f := f.(map[string]any); f["id"] == "call_counts" {
				second := maps.Clone(f)
				maps.Copy(second, c.change)
				for k, v := range second {
					if v == nil {
						delete(second, k)
					}
				}
				second["id"] = "more_counts"
				tree["flows"] = append(tree["flows"].([]any), second)
				break
			}
		}
		src, _ = json.Marshal(tree)
		p, err := programme.Load(fstest.MapFS{"p.yaml": {Data: src}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		faults := form.Check(p)
		if len(faults) != c.want || c.want > 0 && (!strings.Contains(faults[0].Path, "more_counts") || !strings.Contains(faults[0].Message, "call_counts")) {
			t.Errorf("%s: %v", name, faults)
		}
	}
}

func TestTheTableIsChecked(t *testing.T) {
	w := open(t)
	for name, row := range map[string]map[string]any{
		"free text is kept":       {"element": "os_type_version", "is": "free_text", "treat": "keep", "paths": []string{"context.os.name"}},
		"a place is bucketed":     {"element": "os_type_version", "is": "coordinates", "treat": "bucket", "bounds": []int{1}, "paths": []string{"context.os.name"}},
		"a place by its name":     {"element": "os_type_version", "is": "number", "treat": "keep", "paths": []string{"context.device.latitude"}},
		"keys that are data":      {"element": "os_type_version", "is": "word", "treat": "keep", "paths": []string{"context.device.*"}},
		"another category's path": {"element": "os_type_version", "is": "word", "treat": "keep", "paths": []string{"properties.plan"}},
		"no such element":         {"element": "shoe_size", "is": "word"},
		"enum without values":     {"element": "os_type_version", "is": "word", "treat": "enum", "paths": []string{"context.os.build"}},
		"the same path twice":     {"element": "os_type_version", "is": "word", "treat": "keep", "paths": []string{"context.locale"}},
		"inside of another":       {"element": "os_type_version", "is": "word", "treat": "keep", "paths": []string{"context.os.name.short"}},
	} {
		var tree map[string]any
		src, _ := json.Marshal(w.p)
		_ = json.Unmarshal(src, &tree)
		row["category"] = "device_data"
		tree["pseudonymised_as"] = append(tree["pseudonymised_as"].([]any), row)
		src, _ = json.Marshal(tree)
		if _, err := programme.Load(fstest.MapFS{"p.yaml": {Data: src}}); err == nil {
			t.Errorf("%s: no fault", name)
		}
	}
}
