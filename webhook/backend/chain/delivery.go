package chain

import (
	"errors"
	"fmt"
	"slices"
)

// delivery sends units to a service that takes or refuses a request as a whole, and finds out which units
// it refuses, with a bounded number of requests.
type delivery struct {
	// send makes one request.
	send func(units []string) error
	// left returns those that are still to be sent after a request was refused: services stop anywhere.
	// Nil means all.
	left func(units []string) ([]string, error)

	requests  int
	delivered bool // the service took something

	refused  map[string]error // by unit: what the service said to it alone
	untried  map[string]error // by unit: why it was not sent alone
	suspects []string         // what to send alone next time: the untried of the suspected, then the refused
}

const (
	// probes is how many units are sent alone at first: when all are refused, the service takes nothing.
	probes = 3
	// maxRequests ends the search. It is enough to find three among 20,000.
	maxRequests = 64
	// suspectsAtATime is how many of the suspected are tried in one run; they take turns.
	suspectsAtATime = 8
)

var (
	errLater        = errors.New("refused by the other webhook when it was sent alone; a later call tries again")
	errTakesNothing = errors.New("not tried alone, because the other webhook refuses whatever it is asked")
	errSearchEnded  = fmt.Errorf("refused together with others; which one it is was not found with %d requests, the next call carries on", maxRequests)
)

// run sends all units: those not suspected together, and the suspected one by one.
func (d *delivery) run(units, suspected []string) {
	d.refused, d.untried = map[string]error{}, map[string]error{}
	var good, alone []string
	for _, u := range suspected {
		if slices.Contains(units, u) {
			alone = append(alone, u)
		}
	}
	for _, u := range units {
		if !slices.Contains(alone, u) {
			good = append(good, u)
		}
	}
	if end := d.together(good); end != nil {
		d.skip(alone, end)
		d.suspects = append(alone, d.suspects...)
		return
	}
	now := min(len(alone), suspectsAtATime)
	d.skip(alone[now:], errLater)
	rest, _ := d.oneByOne(alone[:now])
	d.suspects = slices.Concat(alone[now:], rest, d.suspects)
}

// together sends units in one request, and when they are refused, in smaller ones. An error says why it
// is of no use to send anything else.
func (d *delivery) together(units []string) (end error) {
	err := d.request(units)
	if err == nil {
		return nil
	}
	if d.left != nil && ofOneRecord(err) {
		before := len(units)
		var unknown error
		if units, unknown = d.left(units); unknown != nil {
			d.skip(units, unknown)
			return unknown
		}
		d.delivered = d.delivered || len(units) < before
	}
	switch {
	case !ofOneRecord(err):
		d.skip(units, err)
		return err
	case len(units) == 0:
		return nil
	case len(units) == 1:
		d.refuse(units[0], err)
		return nil
	}
	first, rest := spread(units)
	left, end := d.oneByOne(first)
	if end != nil {
		d.skip(append(left, rest...), end)
		return end
	}
	return d.halves(rest)
}

// spread picks the first few to try: the first, one in the middle, the last.
func spread(units []string) (few, rest []string) {
	if len(units) <= probes {
		return units, nil
	}
	middle, last := len(units)/2, len(units)-1
	return []string{units[0], units[middle], units[last]}, slices.Concat(units[1:middle], units[middle+1:last])
}

// oneByOne sends each unit alone, until so many were refused in a row that the service seems to take
// nothing. It returns those that it did not reach.
func (d *delivery) oneByOne(units []string) (rest []string, end error) {
	inARow := 0
	for i, u := range units {
		if d.requests >= maxRequests {
			d.skip(units[i:], errSearchEnded)
			return units[i:], nil
		}
		err := d.request([]string{u})
		switch {
		case err == nil:
			inARow = 0
			continue
		case !ofOneRecord(err):
			d.skip(units[i:], err)
			return units[i:], err
		}
		d.refuse(u, err)
		if inARow++; inARow == probes && !d.delivered {
			d.skip(units[i+1:], errTakesNothing)
			return units[i+1:], errTakesNothing
		}
	}
	return nil, nil
}

// halves sends ever smaller parts, the large ones first, so that as much as possible is made early.
func (d *delivery) halves(units []string) (end error) {
	for queue := [][]string{units}; len(queue) > 0; queue = queue[1:] {
		part := queue[0]
		if len(part) == 0 {
			continue
		}
		if d.requests >= maxRequests {
			d.skip(slices.Concat(queue...), errSearchEnded)
			return nil
		}
		err := d.request(part)
		switch {
		case err == nil:
		case !ofOneRecord(err):
			d.skip(slices.Concat(queue...), err)
			return err
		case len(part) == 1:
			d.refuse(part[0], err)
		default:
			queue = append(queue, part[:len(part)/2], part[len(part)/2:])
		}
	}
	return nil
}

func (d *delivery) request(units []string) error {
	if len(units) == 0 {
		return nil
	}
	d.requests++
	err := d.send(units)
	d.delivered = d.delivered || err == nil
	return err
}

func (d *delivery) refuse(unit string, err error) {
	d.refused[unit] = err
	d.suspects = append(d.suspects, unit)
}

func (d *delivery) skip(units []string, why error) {
	for _, u := range units {
		d.untried[u] = why
	}
}
