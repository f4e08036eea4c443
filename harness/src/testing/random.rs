//! Numbers that look random and are the same each time.

/// A generator (xorshift); its seed is anything but 0.
pub struct Random(pub u64);

impl Random {
    /// A number from 0 on, below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
