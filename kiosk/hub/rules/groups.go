package rules

import "slices"

// Companions gives the kiosks that are in a group with this one, itself
// included, in alphabetical order.
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
