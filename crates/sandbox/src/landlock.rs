//! The Landlock domain.

/// The highest ABI of this kernel; `None`: no Landlock, or it is off.
pub fn abi() -> Option<u32> {
    todo!()
}
