package scan

import "io"

// chunk is how many bytes of an array are in one piece of memory, unless one of its
// values is larger.
const chunk = 256 << 10

// Array reads an array, which must be all there is, and gives f each of its values as
// soon as it is there. What f fails with ends it, as does what r fails with.
func Array(r io.Reader, f func(value []byte) error) error {
	a := array{r: r}
	c, err := a.next()
	if err != nil && err != io.EOF {
		return err
	}
	if c != '[' {
		return ErrNoArray
	}
	a.at++
	if c, err = a.next(); err == nil && c == ']' {
		return a.end()
	}
	for {
		if err != nil {
			return orCut(err)
		}
		value, err := a.value()
		if err != nil {
			return orCut(err)
		}
		if err := f(value); err != nil {
			return err
		}
		c, err := a.next()
		switch {
		case err != nil:
			return orCut(err)
		case c == ']':
			return a.end()
		case c != ',':
			return ErrMalformed
		}
		a.at++
		if _, err := a.next(); err != nil {
			return orCut(err)
		}
	}
}

// orCut has a text that ends too early be malformed.
func orCut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return ErrMalformed
	}
	return err
}

// array is an array in the reading.
type array struct {
	scanner
	r io.Reader
}

// read gets more of the text, or io.EOF. What was given away stays as it is.
func (a *array) read() error {
	if len(a.text) == cap(a.text) {
		rest := a.text[a.at:]
		a.text, a.at = append(make([]byte, 0, max(chunk, 2*len(rest))), rest...), 0
	}
	n, err := a.r.Read(a.text[len(a.text):cap(a.text)])
	a.text = a.text[:len(a.text)+n]
	if n > 0 {
		return nil // an error comes again
	}
	return err
}

// next gives the next byte that is no space.
func (a *array) next() (byte, error) {
	for {
		if a.space(); a.at < len(a.text) {
			return a.text[a.at], nil
		}
		if err := a.read(); err != nil {
			return 0, err
		}
	}
}

// value gives the value that begins at the next byte.
func (a *array) value() ([]byte, error) {
	for {
		s := scanner{a.text, a.at}
		err := s.value(1)
		// One that ends with the text may go on.
		if err == nil && s.at < len(s.text) {
			value := s.text[a.at:s.at:s.at]
			a.at = s.at
			return value, nil
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			return nil, err
		}
		if err := a.read(); err != nil {
			return nil, err // nothing may follow, but an array ends
		}
	}
}

// end is the end of the array, and of the text.
func (a *array) end() error {
	a.at++
	switch _, err := a.next(); err {
	case io.EOF:
		return nil
	case nil:
		return ErrMore
	default:
		return err
	}
}
