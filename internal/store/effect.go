package store

import "context"

type effectKey struct{}

// OnEffect returns a ctx under which a change calls mark in the transaction that makes it, so that
// whoever asked can find out, after a crash, that it was made. mark may run twice; when it fails, the
// change is not made.
func OnEffect(ctx context.Context, mark func(tx Tx) error) context.Context {
	return context.WithValue(ctx, effectKey{}, mark)
}

// Effect is called by a service in the transaction of a change that must not be made twice for one
// request. Without an OnEffect around it, it does nothing.
func Effect(ctx context.Context, tx Tx) error {
	if mark, ok := ctx.Value(effectKey{}).(func(Tx) error); ok {
		return mark(tx)
	}
	return nil
}
