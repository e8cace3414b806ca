package hub

// Measured sizes of what the hub stores, in bytes, with JetStream's own share. TestSizing
// measures them. A visit is an event with the evidence of a card whose certificate has 1.1 KiB
// (RSA 2048), and an event about what was shown.
const (
	visitBytes  = 8900
	otherBytes  = 1200 // any other event
	reviewBytes = 800  // of a visit that a kiosk decided offline

	// In the archive, without the evidence.
	oldVisitBytes = 1500
	oldOtherBytes = 700
)

// Fleet is what Sizing needs to know.
type Fleet struct {
	Kiosks  int
	Visits  float64 // of one kiosk in a day
	Others  float64 // other events of one kiosk in a day: starts, failures of parts, policies
	Offline float64 // part of the visits that kiosks decide offline, from 0 to 1
	Days    int     // for which events are stored

	EvidenceDays int // for which their evidence is stored
}

// Size is the result of Sizing, in bytes.
type Size struct {
	PerDay int64 // with evidence
	Events int64 // all events at the end of Days
	Disk   int64 // a disk of this size is used to less than the first warning (60 %)
}

// VisitBytes is what a visit needs on the hub's disk.
const VisitBytes = visitBytes

// Sizing returns how much disk a fleet needs. The buckets need less than a percent of it.
func Sizing(f Fleet) Size {
	perDay := func(visit, other float64) float64 {
		return float64(f.Kiosks) * (f.Visits*(visit+f.Offline*reviewBytes) + f.Others*other)
	}
	day, evidence := perDay(visitBytes, otherBytes), min(f.EvidenceDays, f.Days)
	events := day*float64(evidence) + perDay(oldVisitBytes, oldOtherBytes)*float64(f.Days-evidence)
	return Size{PerDay: int64(day), Events: int64(events), Disk: int64(events*100/float64(diskLevels[0])) + 1<<30}
}
