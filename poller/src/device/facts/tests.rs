//! Facts are a map in the order of the OIDs, and come out of a plan as they went in.

use proptest::prelude::*;

use super::*;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::OctetString),
        any::<[u8; 4]>().prop_map(Value::IpAddress),
        any::<u32>().prop_map(Value::Counter32),
        any::<u32>().prop_map(Value::Gauge32),
        any::<u32>().prop_map(Value::TimeTicks),
        any::<u64>().prop_map(Value::Counter64),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Opaque),
        Just(Value::Null),
        proptest::collection::vec(any::<u32>(), 2..20)
            .prop_map(|arcs| Value::ObjectId(Oid::new(&arcs))),
    ]
}

fn arc() -> impl Strategy<Value = u32> {
    prop_oneof![
        0_u32..4,
        248_u32..260,
        65_530_u32..65_540,
        Just(1 << 24),
        any::<u32>()
    ]
}

proptest! {
    #[test]
    fn facts_unpack_to_what_was_packed(list in proptest::collection::vec((proptest::collection::vec(0_u32..300, 2..12), value()), 0..40)) {
        let mut facts = Facts::default();
        for (arcs, value) in list {
            facts.insert(&Oid::new(&arcs), value);
        }
        prop_assert_eq!(Facts::unpack(&facts.pack(|_| true)), Some(facts.clone()));
        let oids = facts.iter().map(|(oid, _)| oid.clone()).collect::<Vec<_>>();
        prop_assert_eq!(unpack_oids(&pack_oids(&oids)), Some(oids));
    }

    #[test]
    fn keys_never_contradict_the_order_of_the_oids(
        root in prop_oneof![Just(vec![1, 3, 6, 1, 2, 1]), Just(vec![1, 3, 6, 1, 4, 1]), Just(vec![1, 3, 6, 1]), Just(vec![])],
        one in proptest::collection::vec(arc(), 0..12),
        other in proptest::collection::vec(arc(), 0..12),
    ) {
        let (one, other) = ([root.clone(), one].concat(), [root, other].concat());
        if one < other {
            prop_assert!(key(&one) <= key(&other));
        }
    }

    #[test]
    fn facts_are_a_map_in_the_order_of_the_oids(
        steps in proptest::collection::vec((proptest::collection::vec(prop_oneof![0_u32..3, Just(1_u32 << 31)], 1..5), any::<bool>()), 0..60)
    ) {
        let mut facts = Facts::default();
        let mut model = std::collections::BTreeMap::new();
        for (number, (arcs, forgets)) in (0..).zip(steps) {
            let oid = Oid::new(&[1, 3, 6, 1, 4, 1, 1 << 31, 1 << 31, 1 << 31]).child(&arcs);
            if forgets {
                facts.forget(&oid);
                model.retain(|known: &Oid, _| known.suffix_of(&oid).is_none());
            } else {
                facts.hear(&oid, Value::Integer(number));
                model.insert(oid.clone(), Value::Integer(number));
            }
            prop_assert_eq!(facts.get(&oid), model.get(&oid));
            prop_assert_eq!(facts.is_heard(&oid), !forgets);
            prop_assert!(facts.iter().eq(model.iter()));
        }
    }

    #[test]
    fn no_bytes_make_unpacking_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Facts::unpack(&bytes);
        let _ = unpack_oids(&bytes);
    }
}

#[test]
fn rows_are_those_of_the_column_alone() {
    let mut facts = Facts::default();
    for (oid, n) in [
        ("1.3.6.1.2.1", 0),
        ("1.3.6.1.2.1.1", 1),
        ("1.3.6.1.2.1.7.2", 2),
        ("1.3.6.1.2.2.1", 3),
    ] {
        facts.insert(&oid.parse().unwrap(), Value::Integer(n));
    }
    let column = "1.3.6.1.2.1".parse().unwrap();
    let rows = facts
        .rows(&column)
        .map(|(index, value)| (index.to_vec(), integer(value)))
        .collect::<Vec<_>>();
    assert_eq!(rows, [(vec![1], Some(1)), (vec![7, 2], Some(2))]);
}
