//! Numbers of payment cards.

use std::ops::Range;

const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// The number of a card that begins at this digit: 13 to 19 digits, alone or in groups that one space or dash divides,
/// which pass the check of Luhn and begin as those of cards do. `before` is the byte before.
pub(super) fn find(bytes: &[u8], start: usize, before: Option<u8>) -> Option<Range<usize>> {
    if before.is_some_and(is_word) || is_fraction(bytes, start, before) {
        return None;
    }
    let mut digits = [0; *DIGITS.end()];
    let mut count = 0;
    let mut at = start;
    let mut found = None;
    let mut divider = None;
    loop {
        let group = at;
        while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
            // More than a card has.
            let Some(place) = digits.get_mut(count) else { return found };
            *place = digit - b'0';
            count += 1;
            at += 1;
        }
        let grouped = divider.is_some();
        // Groups as short as the day in a date, or as long as a number of their own, make no card.
        if grouped && !(3..=7).contains(&(at - group)) {
            return found;
        }
        let next = bytes.get(at).copied();
        if DIGITS.contains(&count) && !next.is_some_and(is_word) && is_card(&digits[..count]) {
            found = Some(start..at);
        }
        // The first group of all kinds of cards has four digits.
        if !grouped && count != 4 {
            return found;
        }
        match next {
            Some(byte @ (b' ' | b'-')) if divider.is_none_or(|divider| divider == byte) => {
                divider = Some(byte)
            }
            _ => return found,
        }
        at += 1;
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether the digits are those after a decimal point.
fn is_fraction(bytes: &[u8], start: usize, before: Option<u8>) -> bool {
    before == Some(b'.') && start >= 2 && bytes[start - 2].is_ascii_digit()
}

/// Whether the digits begin as those of the big networks do, and pass the check. Times in milliseconds or nanoseconds
/// begin with 1.
fn is_card(digits: &[u8]) -> bool {
    let known = match *digits {
        [2, b, c, d, ..] => {
            let prefix = 2000 + u16::from(b) * 100 + u16::from(c) * 10 + u16::from(d);
            digits.len() == 16 && (2221..=2720).contains(&prefix)
        }
        [3..=6, ..] => true,
        _ => false,
    };
    known && digits.iter().rev().enumerate().map(|(index, &digit)| share(index, digit)).sum::<u32>() % 10 == 0
}

/// What a digit adds to the sum of Luhn: every second one from the right is doubled, and the digits of that added.
fn share(index: usize, digit: u8) -> u32 {
    let digit = u32::from(digit);
    match (index % 2, digit) {
        (0, digit) => digit,
        (_, digit @ 5..) => digit * 2 - 9,
        (_, digit) => digit * 2,
    }
}
