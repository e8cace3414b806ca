package rules

import "slices"

// Companions returns this kiosk and all kiosks that share a group with it, in alphabetical
// order.
func (r *Rules) Companions(kiosk string) []string {
	all := []string{kiosk}
	for _, members := range r.groups {
		if slices.Contains(members, kiosk) {
			all = append(all, members...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// GroupsOf returns the groups of a kiosk, in alphabetical order.
func (r *Rules) GroupsOf(kiosk string) (all []string) {
	for group, members := range r.groups {
		if slices.Contains(members, kiosk) {
			all = append(all, group)
		}
	}
	slices.Sort(all)
	return all
}
