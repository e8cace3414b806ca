package disk

import (
	"encoding/json"
	"fmt"
)

// diskutilInfo is a part of what "diskutil info -plist" of macOS prints, as JSON.
type diskutilInfo struct {
	DeviceNode     string
	MediaName      string
	BusProtocol    string
	Size           int64
	TotalSize      int64
	WholeDisk      bool
	Ejectable      bool
	Removable      bool
	RemovableMedia bool
	Internal       bool
	WritableMedia  bool
	MountPoint     string
	VirtualOrPhysical,
	APFSContainerReference string
}

// readDiskutil decodes what diskutil says of a whole disk and its partitions.
func readDiskutil(whole []byte, partitions ...[]byte) (Disk, error) {
	var i diskutilInfo
	if err := json.Unmarshal(whole, &i); err != nil {
		return Disk{}, fmt.Errorf("cannot read the answer of diskutil: %w", err)
	}
	d := Disk{
		Path: i.DeviceNode, Name: i.MediaName, Bus: i.BusProtocol, Size: max(i.Size, i.TotalSize),
		Removable: (i.Removable || i.RemovableMedia || i.Ejectable) && (!i.Internal || i.BusProtocol == "Secure Digital"),
		ReadOnly:  !i.WritableMedia,
	}
	for _, p := range append([][]byte{whole}, partitions...) {
		var part diskutilInfo
		if err := json.Unmarshal(p, &part); err != nil {
			return Disk{}, fmt.Errorf("cannot read the answer of diskutil: %w", err)
		}
		if part.MountPoint != "" {
			d.Mounts = append(d.Mounts, part.MountPoint)
		}
		if part.APFSContainerReference != "" {
			d.Uses = append(d.Uses, "APFS "+part.APFSContainerReference)
		}
	}
	return d, nil
}
