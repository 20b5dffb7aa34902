//! The fuzz target's entry on the stable compiler: its seeds, every part of them, and whatever else octets can be.

use std::{fs, path::Path};

use proptest::prelude::*;
use rehome::imap::fuzz::same_in_any_chunks;

fn seeds() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/responses");
    let mut seeds: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    seeds.sort();
    seeds
}

#[test]
fn every_seed_reads_the_same_whole_and_cut_anywhere() {
    let seeds = seeds();
    assert!(seeds.len() >= 20);
    for (name, octets) in seeds {
        for end in 0..=octets.len() {
            assert!(same_in_any_chunks(&octets[..end]), "{name} up to {end}");
            assert!(same_in_any_chunks(&octets[end..]), "{name} from {end}");
        }
    }
}

proptest! {
    #[test]
    fn any_octets_read_the_same_in_any_chunks(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(same_in_any_chunks(&octets));
    }

    #[test]
    fn seeds_with_octets_changed_read_the_same_in_any_chunks(
        which in any::<proptest::sample::Index>(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let seeds = seeds();
        let mut octets = which.get(&seeds).1.clone();
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        prop_assert!(same_in_any_chunks(&octets));
    }
}
