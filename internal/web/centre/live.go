package centre

import (
	"context"
	"sync"
	"time"

	"domicile.dev/internal/notice"
)

// Live makes a document of what is so at the moment.
type Live func(context.Context) (*notice.Document, error)

// liveFor is how long a live page is shown before it is made anew, so that asking for it often costs nothing.
const liveFor = 2 * time.Second

// liveTime is the longest that making one may take.
const liveTime = 5 * time.Second

// living keeps a live document for a moment.
type living struct {
	make  Live
	write func(document) ([]form, error)

	mu    sync.Mutex // guards what follows; held while it is made, so that it is made once
	until time.Time
	doc   *notice.Document
	forms []form
}

// get returns the document and its forms. What can't be made now isn't shown from before.
func (l *living) get() (*notice.Document, []form, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.until) {
		return l.doc, l.forms, nil
	}
	ctx, stop := context.WithTimeout(context.Background(), liveTime)
	defer stop()
	d, err := l.make(ctx)
	if err != nil {
		return nil, nil, err
	}
	if l.forms, err = l.write(d); err != nil {
		return nil, nil, err
	}
	l.doc, l.until = d, time.Now().Add(liveFor)
	return d, l.forms, nil
}

// putLive adds a live page, to be read and to be searched.
func (c *Centre) putLive(path string, make Live) {
	l := &living{make: make, write: c.written}
	c.pages[path] = func() ([]form, error) {
		_, forms, err := l.get()
		return forms, err
	}
	c.searched = append(c.searched, func() ([]notice.Passage, error) {
		d, _, err := l.get()
		if err != nil {
			return nil, err
		}
		return notice.Passages(path, d), nil
	})
}

// still makes a document that doesn't change searchable.
func (c *Centre) still(path string, make func() (*notice.Document, error)) {
	c.searched = append(c.searched, sync.OnceValues(func() ([]notice.Passage, error) {
		d, err := make()
		if err != nil {
			return nil, err
		}
		return notice.Passages(path, d), nil
	}))
}
