package app

import (
	"context"
	"net/http"
	"time"

	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
)

// PutWord notes a word that the node is to tell another region, for tests.
func PutWord(ctx context.Context, n *Node, w *plane.Word) error {
	return n.db.Do(ctx, func(tx store.Tx) error { return sqlstore.Owed{}.PutWord(tx, w) })
}

// WordsLeft returns when each word is due, by move, in Unix ms.
func WordsLeft(ctx context.Context, n *Node) (at map[string]int64, err error) {
	err = n.db.View(ctx, func(tx store.Tx) error {
		at = map[string]int64{}
		return sqlstore.Owed{}.Words(tx, 1000, func(w *plane.Word) { at[w.Move] = w.At })
	})
	return at, err
}

// TellWords tells them once.
func TellWords(ctx context.Context, n *Node) error {
	return n.tellWords(ctx, &http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }})
}
