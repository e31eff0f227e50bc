//! bpf(2), the one raw system call of this crate.
//!
//! # Safety
//! Every attribute is as large as any kernel's that writes back into it, so that a newer kernel's longer answer has room: the kernel zero-checks what
//! it does not know. Pointers in it point at values that the caller borrows until the call returns; the kernel keeps none.
#![allow(unsafe_code, reason = "the one file of this crate with raw calls")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::bpf::Instruction;

/// Commands (`enum bpf_cmd`, linux/bpf.h).
const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_DETACH: libc::c_int = 9;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const PROG_QUERY: libc::c_int = 16;

/// `BPF_PROG_TYPE_CGROUP_DEVICE`, `BPF_CGROUP_DEVICE`, `BPF_F_ALLOW_MULTI`.
const TYPE: u32 = 15;
const PLACE: u32 = 6;
const BESIDE_OTHERS: u32 = 2;

/// The kernel's `BPF_CGROUP_MAX_PROGS`.
const MOST: usize = 64;
/// Up to and with `name` in `struct bpf_prog_info`.
const INFO: usize = 80;
const INFO_NAME: usize = 64;

/// `union bpf_attr`, by offset.
#[repr(C, align(8))]
struct Attributes([u8; 256]);

impl Attributes {
    fn new() -> Attributes {
        Attributes([0; 256])
    }

    fn word(mut self, at: usize, value: u32) -> Attributes {
        self.bytes(at, &value.to_ne_bytes());
        self
    }

    fn pointer<T>(mut self, at: usize, value: *const T) -> Attributes {
        self.bytes(at, &(value as u64).to_ne_bytes());
        self
    }

    fn bytes(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn descriptor(self, at: usize, fd: BorrowedFd<'_>) -> Attributes {
        self.word(at, fd.as_raw_fd() as u32)
    }
}

fn bpf(command: libc::c_int, attributes: &mut Attributes) -> io::Result<libc::c_long> {
    // SAFETY: `attributes` is as large as is said and writable, and every pointer in it was made from a borrow that outlives this call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            attributes.0.as_mut_ptr(),
            attributes.0.len(),
        )
    };
    match result {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}

fn new_descriptor(number: libc::c_long) -> OwnedFd {
    // SAFETY: only called with what bpf(2) has just returned for a command that makes a descriptor, close-on-exec; nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(number as RawFd) }
}

/// `BPF_PROG_LOAD` of type `BPF_PROG_TYPE_CGROUP_DEVICE`.
pub(crate) fn load_device_program(program: &[Instruction], name: &[u8]) -> io::Result<OwnedFd> {
    let licence = c"MIT";
    let mut attributes = Attributes::new()
        .word(0, TYPE)
        .word(4, program.len() as u32)
        .pointer(8, program.as_ptr())
        .pointer(16, licence.as_ptr())
        .word(68, PLACE);
    attributes.bytes(48, name);
    bpf(PROG_LOAD, &mut attributes).map(new_descriptor)
}

/// `BPF_PROG_ATTACH` beside what others have attached.
pub(crate) fn attach_device_program(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
) -> io::Result<()> {
    let mut attributes = target(cgroup)
        .descriptor(4, program)
        .word(8, PLACE)
        .word(12, BESIDE_OTHERS);
    bpf(PROG_ATTACH, &mut attributes).map(drop)
}

/// `BPF_PROG_DETACH`.
pub(crate) fn detach_device_program(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
) -> io::Result<()> {
    let mut attributes = target(cgroup).descriptor(4, program).word(8, PLACE);
    bpf(PROG_DETACH, &mut attributes).map(drop)
}

/// `BPF_PROG_QUERY`: ids of the programs that are attached to this very cgroup.
pub(crate) fn attached_device_programs(cgroup: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut ids = [0u32; MOST];
    let mut attributes = target(cgroup)
        .word(4, PLACE)
        .pointer(16, ids.as_mut_ptr())
        .word(24, MOST as u32);
    bpf(PROG_QUERY, &mut attributes)?;
    let mut count = [0; 4];
    count.copy_from_slice(&attributes.0[24..28]);
    let count = MOST.min(u32::from_ne_bytes(count) as usize);
    Ok(ids[..count].to_vec())
}

/// `BPF_PROG_GET_FD_BY_ID`.
pub(crate) fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    bpf(PROG_GET_FD_BY_ID, &mut Attributes::new().word(0, id)).map(new_descriptor)
}

/// `name` of `BPF_OBJ_GET_INFO_BY_FD`.
pub(crate) fn program_name(program: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let mut info = [0u64; INFO / 8];
    let mut attributes = Attributes::new()
        .descriptor(0, program)
        .word(4, INFO as u32)
        .pointer(8, info.as_mut_ptr());
    bpf(OBJ_GET_INFO_BY_FD, &mut attributes)?;
    let name = info[INFO_NAME / 8..]
        .iter()
        .flat_map(|word| word.to_ne_bytes());
    Ok(name.take_while(|byte| *byte != 0).collect())
}

fn target(cgroup: BorrowedFd<'_>) -> Attributes {
    Attributes::new().descriptor(0, cgroup)
}
