//! Writes times as RFC 3339 in UTC with milliseconds: `2026-04-15T20:17:00.310Z`.
//!
//! Stateless: dividing by constants is cheaper than keeping the last second's text.

/// The length of the text.
pub const LENGTH: usize = 24;

/// The last instant with a year of four digits, 9999-12-31T23:59:59.999999Z; later ones are
/// written as this one.
const LAST_MICROS: u64 = 253_402_300_799_999_999;

/// Appends the time `micros` microseconds after 1970.
pub fn write(micros: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&text(micros));
}

/// The time `micros` microseconds after 1970.
pub fn text(micros: u64) -> [u8; LENGTH] {
    let millis = micros.min(LAST_MICROS) / 1_000;
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    digits(&mut text[0..4], year);
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], second / 3_600);
    digits(&mut text[14..16], second / 60 % 60);
    digits(&mut text[17..19], second % 60);
    digits(&mut text[20..23], millis);
    text
}

/// The date `days` days after 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from March, so that a leap day is a year's last one; from 0000-03-01 on, 400
/// years are always 146,097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    /// From 0000-03-01 to 1970-01-01.
    const TO_1970: u64 = 719_468;
    const FOUR_CENTURIES: u64 = 146_097;
    let days = days + TO_1970;
    let (era, day) = (days / FOUR_CENTURIES, days % FOUR_CENTURIES);
    // Takes away the leap days before `day`: each 4 years, not each 100, but each 400.
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let in_year = day - (365 * year + year / 4 - year / 100);
    // From March, months have 31 30 31 30 31 days, again and again: 153 days in five.
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let (month, next) = if from_march < 10 {
        (from_march + 3, 0)
    } else {
        (from_march - 9, 1)
    };
    (era * 400 + year + next, month, day)
}

fn digits(out: &mut [u8], mut number: u64) {
    for digit in out.iter_mut().rev() {
        // Below ten, so it fits.
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::{LAST_MICROS, civil, text};

    fn shown(micros: u64) -> String {
        String::from_utf8(text(micros).to_vec()).unwrap()
    }

    #[test]
    fn known_times() {
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (1_460_751_420_310_999, "2016-04-15T20:17:00.310Z"),
            (1_709_251_199_999_000, "2024-02-29T23:59:59.999Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"),
            (LAST_MICROS, "9999-12-31T23:59:59.999Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(shown(micros), expected);
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let leap = |year: u64| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..200_000 {
            assert_eq!(civil(days), (year, month, day), "day {days}");
            let length = match month {
                2 => 28 + u64::from(leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
