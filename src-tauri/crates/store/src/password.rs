//! Passwords are kept as argon2id hashes (RFC 9106) and checked in the same time whether or not the
//! user exists. Both take some 20 ms of processor time and 19 MiB: keep them off async threads.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::StoreError;

/// Memory in KiB, passes, lanes: the OWASP Password Storage minimum for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// A hash from elsewhere that asks for more than this is not computed.
const MOST_MEMORY_KIB: u32 = 64 * 1024;
const MOST_PASSES: u32 = 10;

/// Checked in the place of a missing hash; no password is known to match.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$cG9zdHJvb20tbm9ib2R5$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// The hash of `password` with a fresh salt, as a PHC string.
///
/// # Errors
/// [`StoreError::Defect`] when the system gives no random salt.
pub fn hash(password: &str) -> Result<String, StoreError> {
    let failed = |error: &dyn std::fmt::Display| StoreError::Defect {
        detail: format!("the password could not be hashed ({error})"),
    };
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| failed(&error))?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| failed(&error))
}

/// Whether `password` belongs to `hash`. Without a hash, or with one that cannot be used, the answer
/// is no and takes as long.
pub fn verify(hash: Option<&str>, password: &str) -> bool {
    match hash.and_then(usable) {
        Some(hash) => matches(&hash, password),
        None => {
            // The result is thrown away on purpose: only the time counts.
            let _ = PasswordHash::new(NOBODY).is_ok_and(|nobody| matches(&nobody, password));
            false
        }
    }
}

fn usable(hash: &str) -> Option<PasswordHash> {
    let hash = PasswordHash::new(hash).ok()?;
    let params = Params::try_from(&hash).ok()?;
    (params.m_cost() <= MOST_MEMORY_KIB && params.t_cost() <= MOST_PASSES).then_some(hash)
}

fn matches(hash: &PasswordHash, password: &str) -> bool {
    Argon2::default()
        .verify_password(password.as_bytes(), hash)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let hash = hash("correct horse").unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(verify(Some(&hash), "correct horse"));
        assert!(!verify(Some(&hash), "correct horse "));
        assert!(!verify(Some(&hash), ""));
    }

    #[test]
    fn equal_passwords_have_different_hashes() {
        assert_ne!(hash("same").unwrap(), hash("same").unwrap());
    }

    #[test]
    fn the_stand_in_for_a_missing_user_is_a_real_hash_with_the_same_cost() {
        let nobody = usable(NOBODY).unwrap();
        let params = Params::try_from(&nobody).unwrap();
        assert_eq!(
            (params.m_cost(), params.t_cost(), params.p_cost()),
            (MEMORY_KIB, PASSES, LANES)
        );
        let real = PasswordHash::new(&hash("x").unwrap()).unwrap();
        assert_eq!(
            nobody.hash.map(|output| output.as_ref().len()),
            real.hash.map(|output| output.as_ref().len())
        );
    }

    #[test]
    fn a_missing_user_or_a_broken_hash_costs_the_same_work() {
        let fastest = |hash: Option<&str>| -> Duration {
            (0..5)
                .map(|_| {
                    let begun = Instant::now();
                    assert!(!verify(hash, "wrong"));
                    begun.elapsed()
                })
                .min()
                .unwrap()
        };
        let real = fastest(Some(&hash("right").unwrap()));
        // Far from a tight bound, so that a busy machine does not matter: without the stand-in the
        // answer comes a thousand times sooner.
        assert!(fastest(None) > real / 10);
        assert!(fastest(Some("not a hash")) > real / 10);
    }

    #[test]
    fn a_hash_that_asks_for_gigabytes_is_not_computed() {
        let greedy = NOBODY.replace("m=19456", "m=4194304");
        assert!(usable(&greedy).is_none());
        assert!(!verify(Some(&greedy), "x"));
    }
}
