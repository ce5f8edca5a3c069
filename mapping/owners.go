package mapping

// owners remembers the projects of the most recently used tasks. Tasks that were imported
// together have ids that follow each other, so each takes one bit: the Data Manager clears
// the project of all tasks that it is about to delete, and these may be a million. At worst
// no two tasks share a block.
//
// Like recent, it has two generations.
type owners struct {
	size       int // blocks of one generation
	young, old map[int64]*ownedBlock
	blocks     int // in young
}

// ownedBlock is the tasks of one project among blockTasks ids that follow each other.
type ownedBlock struct {
	project int64
	tasks   [blockTasks / 64]uint64
	next    *ownedBlock // of another project, among the same ids
}

const (
	blockBits  = 8
	blockTasks = 1 << blockBits
)

func newOwners(size int) owners {
	return owners{size: size, young: map[int64]*ownedBlock{}, old: map[int64]*ownedBlock{}}
}

func (b *ownedBlock) has(task int64) bool { return b.tasks[wordOf(task)]&bitOf(task) != 0 }

func wordOf(task int64) uint64 { return uint64(task) % blockTasks / 64 }
func bitOf(task int64) uint64  { return 1 << (uint64(task) % 64) }

func (o *owners) get(task int64) (project int64, ok bool) {
	for b := o.young[task>>blockBits]; b != nil; b = b.next {
		if b.has(task) {
			return b.project, true
		}
	}
	for b := o.old[task>>blockBits]; b != nil; b = b.next {
		if b.has(task) {
			o.put(task, b.project)
			return b.project, true
		}
	}
	return 0, false
}

func (o *owners) put(task, project int64) {
	if o.blocks >= o.size {
		o.young, o.old, o.blocks = o.old, o.young, 0
		clear(o.young)
	}
	first := o.young[task>>blockBits]
	var own *ownedBlock
	for b := first; b != nil; b = b.next {
		if b.project == project {
			own = b
		} else {
			b.tasks[wordOf(task)] &^= bitOf(task)
		}
	}
	if own == nil {
		own = &ownedBlock{project: project, next: first}
		o.young[task>>blockBits] = own
		o.blocks++
	}
	own.tasks[wordOf(task)] |= bitOf(task)
}
