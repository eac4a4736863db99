//! Names: their syntax, reserved labels, and collisions.

use perf_proved::measuring::monitor::{Buckets, Kind, RegisterError, Registry};

fn register(registry: &Registry, kind: Kind, name: &str) -> Result<(), RegisterError> {
    match kind {
        Kind::Counter => registry.counter(name, "", &[]).map(drop),
        Kind::Gauge => registry.gauge(name, "", &[]).map(drop),
        Kind::Histogram => {
            registry.histogram(name, "", &[], Buckets::new(&[1.0]).unwrap()).map(drop)
        }
    }
}

#[test]
fn names_that_the_formats_cannot_write_are_refused() {
    let registry = Registry::new();
    for name in ["", "1a", "a-b", "a b", "ä", "a\n", "a\"", "a{", "_total2 ", "total.seconds"] {
        for kind in [Kind::Counter, Kind::Gauge, Kind::Histogram] {
            let refused = RegisterError::Name(name.to_owned());
            assert_eq!(register(&registry, kind, name), Err(refused), "{name:?}");
        }
    }
    for name in ["a", "_", ":", "A_1:b", "_1"] {
        register(&registry, Kind::Gauge, name).unwrap();
    }
    // Nothing is left of it.
    let refused = RegisterError::Name(String::new());
    assert_eq!(register(&registry, Kind::Counter, "_total"), Err(refused));
}

#[test]
fn labels_that_the_formats_reserve_or_cannot_write_are_refused() {
    let registry = Registry::new();
    let gauge = |labels: &[&str]| registry.gauge("a", "", labels).map(drop);
    for label in ["", "1a", "a:b", "a-b", "ä", "a=\"b\",c"] {
        assert_eq!(gauge(&["x", label]), Err(RegisterError::Label(label.to_owned())));
    }
    for label in ["le", "quantile", "__name__", "__", "overflow"] {
        assert_eq!(gauge(&[label]), Err(RegisterError::ReservedLabel(label.to_owned())));
    }
    assert_eq!(gauge(&["a", "b", "a"]), Err(RegisterError::RepeatedLabel("a".to_owned())));
    // A refused metric takes no name.
    gauge(&["a", "_b", "les"]).unwrap();
}

#[test]
fn metrics_whose_samples_would_have_one_name_are_refused() {
    use Kind::{Counter, Gauge, Histogram};
    for (first, second, clash) in [
        ((Counter, "x"), (Counter, "x"), "x"),
        ((Counter, "x"), (Counter, "x_total"), "x"),
        ((Counter, "x_total"), (Gauge, "x"), "x"),
        ((Counter, "x"), (Gauge, "x_total"), "x_total"),
        ((Gauge, "x_total"), (Counter, "x"), "x_total"),
        ((Counter, "x"), (Gauge, "x_created"), "x_created"),
        ((Histogram, "x"), (Counter, "x_bucket"), "x_bucket"),
        ((Histogram, "x"), (Gauge, "x_count"), "x_count"),
        ((Gauge, "x_sum"), (Histogram, "x"), "x_sum"),
        ((Histogram, "x"), (Gauge, "x_created"), "x_created"),
        ((Gauge, "x"), (Histogram, "x"), "x"),
    ] {
        let registry = Registry::new();
        register(&registry, first.0, first.1).unwrap();
        match register(&registry, second.0, second.1) {
            Err(RegisterError::Taken { clash: found, .. }) => assert_eq!(found, clash),
            other => panic!("{first:?}, {second:?}: {other:?}"),
        }
        // No part of the refused metric's names is taken.
        register(&registry, Histogram, "x_y").unwrap();
    }
    let registry = Registry::new();
    register(&registry, Counter, "x").unwrap();
    register(&registry, Gauge, "x_bucket").unwrap();
    register(&registry, Histogram, "x_totals").unwrap();
}

#[test]
fn the_names_of_the_monitor_are_taken() {
    let error = register(&Registry::new(), Kind::Gauge, "monitor_overflows_total").unwrap_err();
    let says = "\"monitor_overflows_total\" would export \"monitor_overflows_total\", \
                a name of another metric";
    assert_eq!(error.to_string(), says);
}

#[test]
fn readings_have_names_too() {
    let registry = Registry::new();
    registry.read(Kind::Counter, "x", "", &[], |_| {}).unwrap();
    assert!(matches!(register(&registry, Kind::Gauge, "x"), Err(RegisterError::Taken { .. })));
    let refused = registry.read(Kind::Gauge, "y", "", &["le"], |_| {});
    assert_eq!(refused, Err(RegisterError::ReservedLabel("le".to_owned())));
}

#[test]
fn bounds_that_order_nothing_are_refused() {
    for bounds in [
        &[][..],
        &[f64::NAN],
        &[1.0, f64::NAN],
        &[1.0, f64::INFINITY],
        &[f64::NEG_INFINITY, 1.0],
        &[1.0, 1.0],
        &[2.0, 1.0],
        &[0.0, 1.0],
        &[-1.0],
    ] {
        let refused = Buckets::new(bounds).unwrap_err();
        assert!(matches!(refused, RegisterError::Bounds(_)), "{bounds:?}");
    }
    assert!(Buckets::exponential(1.0, 1.0, 3).is_err());
    assert!(Buckets::exponential(1.0, 2.0, 0).is_err());
    assert!(Buckets::exponential(1.0, 10.0, 400).is_err(), "they end at 1e308");
}
