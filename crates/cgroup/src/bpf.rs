//! The program that stands where v1 has `devices.allow`: assembled here, attached to the cgroup, and gone with it.
//!
//! The kernel runs it at every opening and making of a device node by a process of the cgroup or below, with a
//! `struct bpf_cgroup_dev_ctx` (linux/bpf.h): what is asked in the upper and the kind in the lower half of the first word, then major and
//! minor. 1 allows. Programs of the cgroups above must allow, too.
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

use crate::devices::{DeviceKind, DeviceRule};
use crate::{Error, sys};

/// By which programs of ours are known among those that others attach; letters, digits, `_` and `.`, at most 15.
const NAME: &[u8] = b"encamp_devices";

/// Attaches a program that allows these and nothing else, in place of the one of ours that may be there from an earlier use of the cgroup.
pub(crate) fn allow(dir: &Path, rules: &[DeviceRule]) -> Result<(), Error> {
    let failed = |act: &'static str| move |source| Error::io(act, dir, source);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let cgroup = open(dir, flags, Mode::empty()).map_err(|errno| Error::io("open", dir, errno))?;
    let program = sys::load_device_program(&assemble(rules), NAME)
        .map_err(failed("load the device program for"))?;
    let old = sys::attached_device_programs(cgroup.as_fd())
        .map_err(failed("list the device programs of"))?;
    // The new one first: no moment without. The kernel takes 64.
    sys::attach_device_program(cgroup.as_fd(), program.as_fd())
        .map_err(failed("attach the device program to"))?;
    for id in old {
        detach_ours(cgroup.as_fd(), id).map_err(failed("detach the old device program from"))?;
    }
    Ok(())
}

fn detach_ours(cgroup: BorrowedFd<'_>, id: u32) -> std::io::Result<()> {
    let program = match sys::program_by_id(id) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(()),
        other => other?,
    };
    if sys::program_name(program.as_fd())? != NAME {
        return Ok(());
    }
    sys::detach_device_program(cgroup, program.as_fd())
}

/// One instruction (`struct bpf_insn`, linux/bpf.h), registers as the little-endian targets have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

const LOAD_WORD: u8 = 0x61;
const MOVE_REGISTER: u8 = 0xbf;
const MOVE: u8 = 0xb7;
const AND: u8 = 0x57;
const SHIFT_RIGHT: u8 = 0x77;
const JUMP_UNLESS: u8 = 0x55;
const EXIT: u8 = 0x95;

/// Registers: the result, the argument and scratch, and what the argument points at.
const RESULT: u8 = 0;
const SCRATCH: u8 = 1;
const KIND: u8 = 2;
const ASKED: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

fn instruction(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction {
        code,
        registers: from << 4 | to,
        offset,
        immediate,
    }
}

fn assemble(rules: &[DeviceRule]) -> Vec<Instruction> {
    let mut program = vec![
        instruction(LOAD_WORD, KIND, SCRATCH, 0, 0),
        instruction(LOAD_WORD, MAJOR, SCRATCH, 4, 0),
        instruction(LOAD_WORD, MINOR, SCRATCH, 8, 0),
        instruction(MOVE_REGISTER, ASKED, KIND, 0, 0),
        instruction(SHIFT_RIGHT, ASKED, 0, 0, 16),
        instruction(AND, KIND, 0, 0, 0xffff),
    ];
    for rule in rules {
        program.extend(check(rule));
    }
    program.extend(answer(0));
    program
}

/// Allows when every comparison holds, else jumps behind itself.
fn check(rule: &DeviceRule) -> Vec<Instruction> {
    // BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_DEV_CHAR.
    let kind = match rule.kind {
        DeviceKind::Block => 1,
        DeviceKind::Char => 2,
    };
    let beyond = !i32::from(rule.access.bits()) & 0xffff;
    let mut check = vec![
        instruction(JUMP_UNLESS, KIND, 0, 0, kind),
        instruction(MOVE_REGISTER, SCRATCH, ASKED, 0, 0),
        instruction(AND, SCRATCH, 0, 0, beyond),
        instruction(JUMP_UNLESS, SCRATCH, 0, 0, 0),
    ];
    let numbers = [(MAJOR, rule.major), (MINOR, rule.minor)];
    let comparisons = numbers
        .into_iter()
        .filter_map(|(register, number)| Some((register, i32::try_from(number?).unwrap_or(-1))));
    check.extend(
        comparisons.map(|(register, number)| instruction(JUMP_UNLESS, register, 0, 0, number)),
    );
    check.extend(answer(1));
    let length = check.len();
    for (at, step) in check.iter_mut().enumerate() {
        if step.code == JUMP_UNLESS {
            step.offset = (length - at - 1) as i16;
        }
    }
    check
}

fn answer(result: i32) -> [Instruction; 2] {
    [
        instruction(MOVE, RESULT, 0, 0, result),
        instruction(EXIT, 0, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::DeviceAccess;
    use crate::devices::tests::rule;

    /// What the program answers: its instructions, carried out.
    fn run(program: &[Instruction], kind: u64, asked: DeviceAccess, major: u32, minor: u32) -> u64 {
        let context = [
            u64::from(asked.bits()) << 16 | kind,
            major.into(),
            minor.into(),
        ];
        let mut registers = [0u64; 6];
        let mut at = 0;
        loop {
            let step = program[at];
            let (to, from) = (step.registers & 15, step.registers >> 4);
            let (to, from) = (usize::from(to), usize::from(from));
            let immediate = i64::from(step.immediate) as u64;
            match step.code {
                LOAD_WORD => registers[to] = context[step.offset as usize / 4],
                MOVE_REGISTER => registers[to] = registers[from],
                MOVE => registers[to] = immediate,
                AND => registers[to] &= immediate,
                SHIFT_RIGHT => registers[to] >>= immediate,
                JUMP_UNLESS if registers[to] != immediate => at += step.offset as usize,
                JUMP_UNLESS => {}
                EXIT => return registers[0],
                other => panic!("{other:#x} is not used"),
            }
            at += 1;
        }
    }

    /// Every combination of letters.
    fn accesses() -> impl Iterator<Item = DeviceAccess> {
        (1..8).map(DeviceAccess::from_bits_retain)
    }

    #[test]
    fn the_program_answers_what_the_rules_say() {
        let rules = [
            "c 1:3 rwm",
            "c 136:* rw",
            "b 8:0 r",
            "b *:* m",
            "c 4095:1048575 w",
        ]
        .map(rule);
        let program = assemble(&rules);
        for (kind, name) in [(1, DeviceKind::Block), (2, DeviceKind::Char)] {
            for major in [0, 1, 8, 136, 4095, u32::MAX] {
                for minor in [0, 3, 7, 1_048_575] {
                    for asked in accesses() {
                        let allows = |rule: &DeviceRule| {
                            rule.kind == name
                                && rule.access.contains(asked)
                                && rule.major.is_none_or(|number| number == major)
                                && rule.minor.is_none_or(|number| number == minor)
                        };
                        let expected = u64::from(rules.iter().any(allows));
                        let answer = run(&program, kind, asked, major, minor);
                        assert_eq!(answer, expected, "{name:?} {major}:{minor} {asked}");
                    }
                }
            }
        }
    }

    #[test]
    fn without_rules_nothing_is_allowed() {
        let program = assemble(&[]);
        assert!(accesses().all(|asked| run(&program, 2, asked, 1, 3) == 0));
    }

    #[test]
    fn a_number_that_no_device_has_matches_none() {
        let mut absurd = rule("c 1:3 rwm");
        absurd.major = Some(u32::MAX);
        let program = assemble(&[absurd]);
        assert_eq!(run(&program, 2, DeviceAccess::READ, u32::MAX, 3), 0);
    }
}
