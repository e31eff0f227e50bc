//! From a filter in words to a classic BPF program: a balanced tree of comparisons for each table of system calls.
//!
//! ```text
//!   architecture ─┬─ x86-64 (x32: the same numbers, one bit taken away) ── tree ── answer
//!                 ├─ i386 ──────────────────────────────────────────────── tree ── answer
//!                 └─ any other: the process is killed
//! ```
//! Whether a call of one number is always let through depends on nothing but the number, so the kernel finds it out when the filter
//! is installed and does not run the program for it (since 5.11).
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::spec::{Condition, Refused, Seccomp};
use crate::syscalls::{self, Numbers, X32_BIT};

/// One instruction, as `struct sock_filter` of linux/filter.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// Instructions to skip when a comparison holds.
    pub jt: u8,
    /// Instructions to skip when it does not.
    pub jf: u8,
    /// The constant.
    pub k: u32,
}

/// Classic BPF (linux/bpf_common.h): load a word, and, jumps, return.
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// `struct seccomp_data` (linux/seccomp.h): the number, the architecture, and from 16 on the arguments, lower half first.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// linux/audit.h.
const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;

/// Answers (linux/seccomp.h).
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const KILL_PROCESS: u32 = 0x8000_0000;

/// What becomes of calls of one number: what is refused, in order; the rest is let through.
type Answers = Vec<(Option<Condition>, i32)>;

/// Calls by number.
type Table = BTreeMap<u32, Answers>;

/// Compiles a filter.
///
/// # Errors
/// A call that is not known here, or an argument that no call has.
pub fn compile(seccomp: &Seccomp) -> Result<Vec<Instruction>, Error> {
    let native = tree(&table(seccomp, |numbers| numbers.x86_64)?);
    let compat = tree(&table(seccomp, |numbers| numbers.i386)?);
    let mut program = vec![load(ARCHITECTURE)];
    program.extend(branch(IF_EQUAL, X86_64, {
        let mut native_side = vec![load(NUMBER), constant(AND, !X32_BIT)];
        native_side.extend(native);
        native_side
    }));
    program.extend(branch(IF_EQUAL, I386, {
        let mut compat_side = vec![load(NUMBER)];
        compat_side.extend(compat);
        compat_side
    }));
    program.push(constant(RETURN, KILL_PROCESS));
    Ok(program)
}

fn table(seccomp: &Seccomp, of_abi: impl Fn(Numbers) -> &'static [u32]) -> Result<Table, Error> {
    let mut table = Table::new();
    for rule in &seccomp.rules {
        for name in &rule.syscalls {
            let numbers =
                syscalls::numbers(name).ok_or_else(|| unfit(name, "is not known here"))?;
            for number in of_abi(numbers) {
                let answers = table.entry(*number).or_default();
                answers.push(answer(rule, name)?);
            }
        }
    }
    Ok(table)
}

fn answer(rule: &Refused, name: &str) -> Result<(Option<Condition>, i32), Error> {
    match rule.when {
        Some(condition) if condition.argument > 5 => Err(unfit(name, "has no such argument")),
        when => Ok((when, rule.errno)),
    }
}

fn unfit(name: &str, problem: &str) -> Error {
    Error::Filter {
        syscall: name.to_owned(),
        problem: problem.to_owned(),
    }
}

/// Numbers from here up to the next stretch, all answered alike.
struct Stretch<'a> {
    first: u32,
    answers: &'a [(Option<Condition>, i32)],
}

/// Finds the stretch that the number lies in.
fn tree(table: &Table) -> Vec<Instruction> {
    split(&stretches(table))
}

/// Neighbours with the same answers are one stretch, and so is whatever lies between.
fn stretches(table: &Table) -> Vec<Stretch<'_>> {
    let mut all = vec![Stretch {
        first: 0,
        answers: &[],
    }];
    let mut add = |first, answers| match all.last_mut() {
        Some(last) if last.first == first => last.answers = answers,
        Some(last) if last.answers == answers => {}
        _ => all.push(Stretch { first, answers }),
    };
    for (number, answers) in table {
        add(*number, answers.as_slice());
        if !table.contains_key(&(number + 1)) {
            add(number + 1, &[]);
        }
    }
    all
}

fn split(stretches: &[Stretch<'_>]) -> Vec<Instruction> {
    match stretches {
        [] => vec![constant(RETURN, ALLOW)],
        [one] => verdict(one.answers),
        several => {
            let (low, high) = several.split_at(several.len() / 2);
            let mut code = branch(IF_AT_LEAST, high[0].first, split(high));
            code.extend(split(low));
            code
        }
    }
}

/// What to do with a call whose number has been found.
fn verdict(answers: &[(Option<Condition>, i32)]) -> Vec<Instruction> {
    let mut code = vec![];
    for (when, errno) in answers {
        let refuse = constant(RETURN, ERRNO | *errno as u32 & 0xffff);
        let Some(Condition {
            argument,
            mask,
            value,
        }) = *when
        else {
            code.push(refuse);
            return code;
        };
        code.push(load(ARGUMENTS + 8 * u32::from(argument)));
        code.push(constant(AND, mask));
        code.extend(branch(IF_EQUAL, value, vec![refuse]));
    }
    code.push(constant(RETURN, ALLOW));
    code
}

/// `body` when the comparison with the accumulator holds, which must return; what comes after it otherwise.
fn branch(comparison: u16, k: u32, body: Vec<Instruction>) -> Vec<Instruction> {
    let jump = |jt, jf| Instruction {
        code: comparison,
        jt,
        jf,
        k,
    };
    let mut code = match u8::try_from(body.len()) {
        Ok(length) => vec![jump(0, length)],
        // A comparison skips no more than 255; an unconditional jump as many as there are.
        Err(_) => vec![jump(1, 0), constant(JUMP, body.len() as u32)],
    };
    code.extend(body);
    code
}

fn load(offset: u32) -> Instruction {
    constant(LOAD, offset)
}

fn constant(code: u16, k: u32) -> Instruction {
    Instruction {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

#[cfg(test)]
#[path = "seccomp_tests.rs"]
mod tests;
