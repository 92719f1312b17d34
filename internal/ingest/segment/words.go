package segment

// known are the protocol's own names, which the path of a refusal may show.
func known(name string) bool { _, ok := words[name]; return ok }

var words = func() map[string]struct{} {
	w := map[string]struct{}{}
	for _, name := range []string{"batch", "writeKey", "sentAt", "context", "integrations", "type", "messageId", "userId", "anonymousId",
		"previousId", "groupId", "timestamp", "originalTimestamp", "receivedAt", "event", "name", "category", "properties", "traits",
		"channel", "version", "_metadata", "email", "phone", "address", "device", "id", "ip", "locale", "timezone", "userAgent",
		"userAgentData", "page", "path", "referrer", "search", "title", "url", "campaign", "source", "medium", "library", "consent",
		"categoryPreferences", "consentManagement", "app", "os", "screen", "network", "location", "sessionId"} {
		w[name] = struct{}{}
	}
	return w
}()
