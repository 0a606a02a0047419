//! Ids from the random bits of a request.

/// The increment of `SplitMix64`, an odd number near 2⁶⁴ divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The id number `place` of a request, in the text form of a UUID of version 4 (RFC 9562).
pub(crate) fn make(entropy: (u64, u64), place: u64) -> String {
    let offset = place.wrapping_mul(STEP);
    // The first half differs for each place, so the ids of a request never repeat.
    let first = mix(entropy.0.wrapping_add(offset));
    let second = mix(entropy.1.wrapping_add(offset) ^ first);
    let high = first & !0xf000 | 0x4000;
    let low = second & !(0b11 << 62) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// The output function of `SplitMix64`: no two inputs give the same output.
fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_id_has_the_form_of_version_4() {
        for place in 0..100 {
            let id = make((u64::MAX, 0), place);
            let lengths: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(&id[14..15], "4", "{id}");
            assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
        }
    }

    #[test]
    fn ids_do_not_repeat() {
        let places = (0..1_000).map(|place| make((1, 2), place));
        let requests = (0..1_000).flat_map(|n| [make((n, 9), 0), make((9, n + 1_000), 0)]);
        assert_eq!(places.chain(requests).collect::<HashSet<_>>().len(), 3_000);
    }
}
