package centre

import (
	"context"
	"slices"
	"sync"
	"time"

	"domicile.dev/internal/notice"
)

// Live makes a document of what is so at the moment, in a language of the running programme.
type Live func(ctx context.Context, lang string) (*notice.Document, error)

// liveFor is how long a live page is shown before it is made anew, so that asking for it often costs nothing.
const liveFor = 2 * time.Second

// liveTime is the longest that making one may take.
const liveTime = 5 * time.Second

// living keeps a live document for a moment, in one variant.
type living struct {
	v     variant
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
	d, err := l.make(ctx, l.v.lang)
	if err != nil {
		return nil, nil, err
	}
	if l.forms, err = l.write(d); err != nil {
		return nil, nil, err
	}
	l.doc, l.until = d, time.Now().Add(liveFor)
	return d, l.forms, nil
}

// putLive adds a live page in some languages, to be read and to be searched.
func (c *Centre) putLive(path string, in languages, make Live) {
	of := cached(func(v variant) (*living, error) {
		return &living{v: v, make: make, write: func(d document) ([]form, error) { return c.written(d, path, in, v) }}, nil
	})
	c.pages[path] = page{in, func(v variant) ([]form, error) {
		l, err := of(v)
		if err != nil {
			return nil, err
		}
		_, forms, err := l.get()
		return forms, err
	}}
	c.searched = append(c.searched, func(lang string) ([]notice.Passage, error) {
		all, err := in()
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, lang) {
			lang = all[0]
		}
		l, err := of(variant{lang: lang})
		if err != nil {
			return nil, err
		}
		d, _, err := l.get()
		if err != nil {
			return nil, err
		}
		return notice.Passages(path, d), nil
	})
}

// still makes a document that doesn't change searchable, in the language of the search where it is in it.
func (c *Centre) still(path string, languages languages, make func(variant) (*notice.Document, error)) {
	of := cached(func(v variant) ([]notice.Passage, error) {
		d, err := make(v)
		if err != nil {
			return nil, err
		}
		return notice.Passages(path, d), nil
	})
	c.searched = append(c.searched, func(lang string) ([]notice.Passage, error) {
		all, err := languages()
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, lang) {
			lang = all[0]
		}
		return of(variant{lang: lang})
	})
}
