package clouddns

import (
	"slices"

	"github.com/spokedns/spokedns/webhook/backend"
)

// batch is jobs that are made in one change.
type batch struct {
	jobs                       []*job
	additions, deletions, data int
}

func (b *batch) add(j *job) {
	b.jobs = append(b.jobs, j)
	b.additions += len(j.additions)
	b.deletions += len(j.deletions)
	b.data += j.data
}

// fits reports whether the job can be added. The first one always can: what is larger than a change is
// taken apart when it is sent.
func (b *batch) fits(j *job, size int) bool {
	return len(b.jobs) == 0 || b.additions+len(j.additions) <= size && b.deletions+len(j.deletions) <= size && b.data+j.data <= maxData
}

// pack puts jobs into as few changes as it can: the largest first, each into the first change that has room
// for it. Additions and deletions are counted apart, so what comes fills the changes that what goes needs.
func pack(jobs []*job, size int) [][]*job {
	weight := func(j *job) float64 {
		return max(float64(max(len(j.additions), len(j.deletions)))/float64(size), float64(j.data)/maxData)
	}
	sorted := slices.Clone(jobs)
	slices.SortStableFunc(sorted, func(a, b *job) int {
		switch wa, wb := weight(a), weight(b); {
		case wa > wb:
			return -1
		case wa < wb:
			return 1
		}
		return 0
	})
	var batches []*batch
	for _, j := range sorted {
		i := slices.IndexFunc(batches, func(b *batch) bool { return b.fits(j, size) })
		if i < 0 {
			i = len(batches)
			batches = append(batches, &batch{})
		}
		batches[i].add(j)
	}
	packed := make([][]*job, len(batches))
	for i, b := range batches {
		packed[i] = b.jobs
	}
	return packed
}

// oversize reports whether a job needs more than one change.
func oversize(j *job, size int) bool {
	return len(j.additions) > size || len(j.deletions) > size || j.data > maxData
}

// parts cuts a unit that is larger than a change into some that are not, in the order in which they do the
// least harm wherever that ends. A change of one RRset always fits: see maxSet.
func parts(unit []backend.Change, size int) [][]backend.Change {
	var cut [][]backend.Change
	sets, bytes := 0, maxData
	for _, c := range backend.Sequence(unit) {
		need := 0
		for _, r := range []*backend.RRset{c.Old, c.New} {
			if r != nil {
				need += data(encode(r).Rrdatas)
			}
		}
		if sets++; sets > size || bytes+need > maxData {
			cut = append(cut, nil)
			sets, bytes = 1, 0
		}
		bytes += need
		cut[len(cut)-1] = append(cut[len(cut)-1], c)
	}
	return cut
}

// split divides the jobs of a refused change: those that the service named from the others, else in halves.
func split(jobs []*job, named []backend.Key) (first, second []*job) {
	for _, j := range jobs {
		if slices.ContainsFunc(j.unit, func(c backend.Change) bool { return slices.Contains(named, c.Key()) }) {
			first = append(first, j)
		} else {
			second = append(second, j)
		}
	}
	if len(first) == 0 || len(second) == 0 {
		return jobs[:len(jobs)/2], jobs[len(jobs)/2:]
	}
	return first, second
}
