package ordering

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// check reads every record: that all are there which must be, none else, and each whole.
func check(tx *bbolt.Tx, e extent) error {
	index, count := e.first, uint64(0)
	err := bucket(tx, bucketLog).ForEach(func(key, record []byte) error {
		if len(key) != 8 || binary.BigEndian.Uint64(key) != index+count {
			return fmt.Errorf("%w: entry %x where %d must be", ErrDamaged, key, index+count)
		}
		_, err := decodeLog(index+count, record)
		count++
		return err
	})
	if err != nil {
		return err
	}
	if count != e.entries() {
		return fmt.Errorf("%w: %d entries, %d were stored", ErrDamaged, count, e.entries())
	}
	keys := uint64(0)
	err = bucket(tx, bucketStable).ForEach(func(key, record []byte) error {
		keys++
		_, err := unseal(bucketStable, key, record)
		return err
	})
	if err == nil && keys != e.keys {
		err = fmt.Errorf("%w: %d settings, %d were stored", ErrDamaged, keys, e.keys)
	}
	return err
}
