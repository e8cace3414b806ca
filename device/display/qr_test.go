package display_test

import (
	"errors"
	"fmt"

	"periph.io/x/devices/v3/ssd1306/image1bit"
)

// readQR reads a QR code off 128 by 64 dots, as a telephone's camera would that
// makes no mistakes: nothing is corrected. It is written from ISO/IEC 18004 and
// shares nothing with what makes the codes. Versions 1 to 9 at levels L and M,
// one segment of bytes.
func readQR(dots *image1bit.VerticalLSB) (string, error) {
	code, err := findQR(dots)
	if err != nil {
		return "", err
	}
	level, mask, err := code.format()
	if err != nil {
		return "", err
	}
	bits := code.bits(mask)
	return text(deinterleave(bits, code.version(), level))
}

// qrCode is a square of modules; true is dark.
type qrCode [][]bool

func (q qrCode) version() int { return (len(q) - 17) / 4 }

// findQR finds the code by its quiet zone, four light modules on either side,
// and checks its three finder patterns.
func findQR(dots *image1bit.VerticalLSB) (qrCode, error) {
	left, right := 128, -1
	for x := range 128 {
		if bool(dots.BitAt(x, 0)) {
			left, right = min(left, x), x
		}
	}
	for _, dot := range []int{2, 1} {
		size := (right-left+1)/dot - 8
		if size < 21 || size*dot > 64 || (size-17)%4 != 0 {
			continue
		}
		code := make(qrCode, size)
		for y := range size {
			for x := range size {
				lit := dots.BitAt(left+(x+4)*dot, (64-size*dot)/2+y*dot)
				code[y] = append(code[y], !bool(lit))
			}
		}
		for _, at := range [][2]int{{0, 0}, {size - 7, 0}, {0, size - 7}} {
			for i := range 49 {
				x, y := i%7, i/7
				ring := max(max(x, 6-x), max(y, 6-y)) // 3 in the middle to 6 at the rim
				if code[at[1]+y][at[0]+x] != (ring != 5) {
					return nil, fmt.Errorf("no finder pattern at %v of %d modules", at, size)
				}
			}
		}
		return code, nil
	}
	return nil, errors.New("there is no QR code")
}

// format reads level and mask beside the upper left finder pattern (section
// 7.9.1), and looks that the second copy is the same.
func (q qrCode) format() (level, mask int, err error) {
	n := len(q)
	first, second := 0, 0
	for i := range 15 { // from the most significant bit
		x, y := min(i, 5), 8
		switch {
		case i == 6:
			x = 7
		case i == 7:
			x = 8
		case i == 8:
			x, y = 8, 7
		case i > 8:
			x, y = 8, 14-i
		}
		first = first<<1 | bit(q[y][x])
		if i < 7 {
			second = second<<1 | bit(q[n-1-i][8])
		} else {
			second = second<<1 | bit(q[8][n-15+i])
		}
	}
	if first != second {
		return 0, 0, fmt.Errorf("the copies of the format are %015b and %015b", first, second)
	}
	first ^= 0b101010000010010
	level, ok := map[int]int{0b01: 0, 0b00: 1}[first>>13]
	if !ok {
		return 0, 0, fmt.Errorf("unknown level %02b", first>>13)
	}
	return level, first >> 10 & 7, nil
}

// bits reads the modules that are data, by columns of two from the lower right
// (section 7.7.3), unmasked (table 10).
func (q qrCode) bits(mask int) (bits []bool) {
	n := len(q)
	masked := func(x, y int) bool {
		return []bool{
			(y+x)%2 == 0, y%2 == 0, x%3 == 0, (y+x)%3 == 0,
			(y/2+x/3)%2 == 0, y*x%2+y*x%3 == 0, (y*x%2+y*x%3)%2 == 0, ((y+x)%2+y*x%3)%2 == 0,
		}[mask]
	}
	up := true
	for right := n - 1; right > 0; right -= 2 {
		if right == 6 { // the vertical timing pattern
			right--
		}
		for i := range n {
			y := i
			if up {
				y = n - 1 - i
			}
			for _, x := range []int{right, right - 1} {
				if !q.function(x, y) {
					bits = append(bits, q[y][x] != masked(x, y))
				}
			}
		}
		up = !up
	}
	return bits
}

// alignment is where patterns are centred, by version (annex E).
var alignment = [][]int{{}, {}, {6, 18}, {6, 22}, {6, 26}, {6, 30}, {6, 34}, {6, 22, 38}, {6, 24, 42}, {6, 26, 46}}

// function tells whether a module is no data.
func (q qrCode) function(x, y int) bool {
	n := len(q)
	switch {
	case x == 6 || y == 6, // timing
		x < 9 && y < 9, x >= n-8 && y < 9, x < 9 && y >= n-8, // finders, format
		q.version() >= 7 && (x >= n-11 && y < 6 || x < 6 && y >= n-11): // version
		return true
	}
	for _, cx := range alignment[q.version()] {
		for _, cy := range alignment[q.version()] {
			finder := cx == 6 && cy == 6 || cx == 6 && cy == n-7 || cx == n-7 && cy == 6
			if !finder && max(x-cx, cx-x) <= 2 && max(y-cy, cy-y) <= 2 {
				return true
			}
		}
	}
	return false
}

// blocks is, for levels L and M of each version, how many codewords of error
// correction a block has, and how many blocks there are (table 9).
var blocks = [][2][2]int{{}, {{7, 1}, {10, 1}}, {{10, 1}, {16, 1}}, {{15, 1}, {26, 1}}, {{20, 1}, {18, 2}}, {{26, 1}, {24, 2}},
	{{18, 2}, {16, 4}}, {{20, 2}, {18, 4}}, {{24, 2}, {22, 4}}, {{30, 2}, {22, 5}}}

// deinterleave gives the data's codewords in their order (section 7.6).
func deinterleave(bits []bool, version, level int) (data []byte) {
	var codewords []byte
	for i := 0; i+8 <= len(bits); i += 8 {
		var b byte
		for _, set := range bits[i : i+8] {
			b = b<<1 | byte(bit(set))
		}
		codewords = append(codewords, b)
	}
	correction, count := blocks[version][level][0], blocks[version][level][1]
	short := (len(codewords) - correction*count) / count
	long := (len(codewords) - correction*count) % count // blocks with one more, the last
	for b := range count {
		for i := range short {
			data = append(data, codewords[i*count+b])
		}
		if b >= count-long {
			data = append(data, codewords[short*count+b-(count-long)])
		}
	}
	return data
}

// text reads a segment of bytes (section 7.4.5).
func text(data []byte) (string, error) {
	if data[0]>>4 != 0b0100 {
		return "", fmt.Errorf("the first segment is of mode %04b, not bytes", data[0]>>4)
	}
	length := int(data[0]&15)<<4 | int(data[1]>>4)
	if length > len(data)-2 {
		return "", fmt.Errorf("%d bytes in %d codewords", length, len(data))
	}
	out := make([]byte, length)
	for i := range out {
		out[i] = data[i+1]<<4 | data[i+2]>>4
	}
	return string(out), nil
}

func bit(set bool) int {
	if set {
		return 1
	}
	return 0
}
