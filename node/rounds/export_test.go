package rounds

// OnStored calls f after every change of a round that is durable: the points at which
// a kill leaves a distinct state. Set it before the service is used.
func (s *Service) OnStored(f func()) { s.stored = f }

// OnStoring lets f fail changes of rounds as a full disk does. Set it before the service
// is used.
func (s *Service) OnStoring(f func() error) { s.storing = f }
