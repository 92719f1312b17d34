package sqlstore

import "domicile.dev/internal/fault"

// metaRegion names the meta value that holds the id of the region a store belongs to.
const metaRegion = "region"

// Stamp writes the region's id into a store that has none and refuses a store of another region.
func Stamp(c Conn, region string) error {
	was, err := Metas{}.Meta(c, metaRegion)
	switch {
	case err != nil:
		return err
	case was == nil:
		return Metas{}.PutMeta(c, metaRegion, []byte(region))
	case string(was) != region:
		return OtherRegion(string(was), region)
	}
	return nil
}

// OtherRegion is the fault of opening, for region, a store that belongs to another.
func OtherRegion(owner, region string) *fault.Error {
	return fault.New(fault.Conflict, "store.other_region", "this store belongs to region %s, not to %s", owner, region).
		WithHint("point this node at the store of " + region + ", or start it as a node of " + owner +
			"; a region's records never move by opening them elsewhere")
}
