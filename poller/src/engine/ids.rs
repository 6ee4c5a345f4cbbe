//! Request ids nobody outside can guess: a spoofed answer must not find its request.

/// How many random bytes are fetched at once.
const POOL_BYTES: usize = 4_096;
const ID_BYTES: usize = 4;

/// Where ids come from.
#[derive(Debug)]
pub struct Ids(Source);

#[derive(Debug)]
enum Source {
    System { pool: Box<[u8]>, used: usize },
    Seeded(u64),
}

impl Ids {
    /// From the system's random numbers.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System {
            pool: vec![0; POOL_BYTES].into(),
            used: POOL_BYTES,
        })
    }

    /// From a seed, for tests that must be repeatable: predictable.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(seed))
    }

    /// The next id: 31 bits, never zero.
    pub fn next_id(&mut self) -> i32 {
        loop {
            let id = (self.word() & 0x7fff_ffff).cast_signed();
            if id != 0 {
                return id;
            }
        }
    }

    /// 32 random bits.
    pub fn word(&mut self) -> u32 {
        match &mut self.0 {
            Source::System { pool, used } => {
                if *used + ID_BYTES > pool.len() {
                    getrandom::fill(pool).expect("the system has random numbers");
                    *used = 0;
                }
                let word = pool
                    .get(*used..*used + ID_BYTES)
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(u32::from_ne_bytes);
                *used += ID_BYTES;
                word.expect("the pool was refilled above")
            }
            Source::Seeded(state) => (splitmix(state) >> 32) as u32,
        }
    }
}

/// SplitMix64: small, and good enough for tests.
const fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
