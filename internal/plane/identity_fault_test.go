package plane_test

import (
	"context"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/term"
)

// vendorKinds gives a world the kinds of the example programme.
func vendorKinds(w *world) {
	w.rules = exampleRules(w.t)
	w.restart()
}

func TestACallIsWholeWhateverWriteFails(t *testing.T) {
	journey(t,
		func(w *world) {
			vendorKinds(w)
			w.twilios(itsRecording, conversation("onConversationAdded", "CH1", "Attributes=a"))
		},
		func(w *world) error {
			for _, form := range []string{aCall, conversation("onParticipantAdded", "CH1", "ParticipantSid=MB1 MessagingBinding.Address=+447700900101"), itsWords} {
				if _, err := w.tryTwilio(form); err != nil {
					return err
				}
			}
			return nil
		},
		func(t *testing.T, w *world) {
			got := w.kinds(term.Phone, "+447700900101")
			for _, kind := range []string{"voice/call.status", "voice/recording", "voice/transcription", "chat/conversation", "chat/conversation.participant"} {
				if got[kind] != 1 {
					t.Errorf("%d of %s, want 1", got[kind], kind)
				}
			}
		})
}

func TestAConversationGoesWholeWhateverWriteFails(t *testing.T) {
	var s id.Subject
	journey(t,
		func(w *world) {
			vendorKinds(w)
			w.twilios(itsRecording, aCall, conversation("onConversationAdded", "CH1", "Attributes=a"),
				conversation("onParticipantAdded", "CH1", "ParticipantSid=MB1 MessagingBinding.Address=+447700900101"))
			s = w.find(term.Phone, "+447700900101")
		},
		func(w *world) error {
			_, err := w.Erase(context.Background(), w.caller, s, plane.EraseRequest{})
			return err
		},
		func(t *testing.T, w *world) {
			for _, gone := range []string{"CA1", "RE1", "CH1", "MB1"} {
				if w.opens(gone) {
					t.Errorf("%s opens", gone)
				}
			}
			if r := w.erase(s); !r.Already || r.Records != 4 {
				t.Errorf("receipt %+v, want the first one, of 4 records", r)
			}
		})
}

func TestANumberChangesHandsWhateverWriteFails(t *testing.T) {
	var s id.Subject
	journey(t,
		func(w *world) {
			w.send(w.nat, "", text("x1", oldNumber, -1))
			w.send(w.nat, "", text("x2", newNumber, -1))
			s = w.find(term.Phone, oldNumber)
		},
		func(w *world) error {
			if _, err := w.Retire(context.Background(), w.caller, s, phones(oldNumber)); err != nil {
				return err
			}
			_, err := w.Link(context.Background(), w.caller, s, phones(newNumber))
			return err
		},
		func(t *testing.T, w *world) {
			_, err := w.Find(context.Background(), w.caller, phones(oldNumber))
			wantKind(t, "find by what was given up", err, fault.NotFound, "subject.unknown")
			if w.find(term.Phone, newNumber) != s || len(w.records(s)) != 2 || len(w.known(s)) != 2 {
				t.Errorf("the person is known by %v", w.known(s))
			}
		})
}
