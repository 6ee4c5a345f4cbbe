//! SNMP messages: any bytes are read or refused, never a panic; what is read once is read the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poller::pdu::Pdu;

fuzz_target!(|bytes: &[u8]| {
    if let Ok((_, _, pdu)) = Pdu::read_message(bytes) {
        let count = pdu.bindings.clone().count();
        assert_eq!(pdu.bindings.count(), count);
    }
});
