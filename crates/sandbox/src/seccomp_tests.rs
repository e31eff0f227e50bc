//! Filters are run here as the kernel would run them, for numbers and arguments of every ABI.
#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

const PERM: i32 = libc::EPERM;
const NOSYS: i32 = libc::ENOSYS;
const NEWUSER: u32 = libc::CLONE_NEWUSER as u32;

/// What the program answers, and how many instructions that took.
fn run(program: &[Instruction], arch: u32, number: u32, args: [u64; 6]) -> (u32, usize) {
    let mut data = [number, arch, 0, 0].map(u32::to_ne_bytes).concat();
    data.extend(args.iter().flat_map(|arg| arg.to_ne_bytes()));
    let (mut accumulator, mut at, mut steps) = (0u32, 0usize, 0);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        (at, steps) = (at + 1, steps + 1);
        let skip = |holds: bool| usize::from(if holds { jt } else { jf });
        match code {
            LOAD => {
                let offset = k as usize;
                accumulator = u32::from_ne_bytes(data[offset..offset + 4].try_into().unwrap());
            }
            AND => accumulator &= k,
            JUMP => at += k as usize,
            IF_EQUAL => at += skip(accumulator == k),
            IF_AT_LEAST => at += skip(accumulator >= k),
            RETURN => return (k, steps),
            other => panic!("instruction {other:#x}"),
        }
    }
}

fn refused(syscalls: &[&str], when: Option<Condition>, errno: i32) -> Refused {
    let syscalls = syscalls.iter().map(|&name| name.to_owned()).collect();
    Refused {
        syscalls,
        when,
        errno,
    }
}

fn sample() -> Vec<Instruction> {
    let of = |argument, mask, value| {
        Some(Condition {
            argument,
            mask,
            value,
        })
    };
    let rules = vec![
        refused(&["clone3"], None, NOSYS),
        refused(
            &["keyctl", "add_key", "request_key", "kexec_load"],
            None,
            PERM,
        ),
        refused(&["clone", "unshare"], of(0, NEWUSER, NEWUSER), PERM),
        refused(&["ioctl"], of(1, u32::MAX, libc::TIOCSTI as u32), PERM),
        refused(&["ioctl"], of(1, u32::MAX, libc::TIOCLINUX as u32), PERM),
    ];
    compile(&Seccomp { rules }).unwrap()
}

/// The errno that a call meets; `None` when it is let through.
fn errno(arch: u32, number: u32, args: [u64; 6]) -> Option<i32> {
    match run(&sample(), arch, number, args).0 {
        ALLOW => None,
        answer if answer & 0xffff_0000 == ERRNO => Some((answer & 0xffff) as i32),
        other => panic!("{other:#x}"),
    }
}

#[test]
fn a_call_is_refused_by_its_number_in_each_table() {
    for (arch, number, expected) in [
        (X86_64, 250, Some(PERM)),
        (X86_64, X32_BIT | 250, Some(PERM)),
        (I386, 288, Some(PERM)),
        (X86_64, 246, Some(PERM)),
        (X86_64, X32_BIT | 528, Some(PERM)),
        (I386, 283, Some(PERM)),
        (X86_64, 435, Some(NOSYS)),
        (X86_64, X32_BIT | 435, Some(NOSYS)),
        (I386, 435, Some(NOSYS)),
        // Each is another call in the other table.
        (I386, 250, None),
        (X86_64, 288, None),
        (X86_64, 0, None),
        (X86_64, 247, None),
        (X86_64, 251, None),
        (I386, 0, None),
        (X86_64, u32::MAX, None),
        (I386, u32::MAX, None),
    ] {
        let got = errno(arch, number, [0; 6]);
        assert_eq!(got, expected, "{number} of {arch:#x}");
    }
}

#[test]
fn an_argument_decides_by_its_lower_half() {
    let flags = u64::from(NEWUSER);
    for (number, arg, expected) in [
        (56, flags, Some(PERM)),
        (56, flags | 0x11, Some(PERM)),
        (56, flags | 0xffff_ffff_0000_0000, Some(PERM)),
        (56, 0x11, None),
        (56, flags << 32, None),
        (272, flags, Some(PERM)),
        (272, 0x0002_0000, None),
    ] {
        let got = errno(X86_64, number, [arg, 0, 0, 0, 0, 0]);
        assert_eq!(got, expected, "{number} {arg:#x}");
    }
}

#[test]
fn several_rules_for_one_call_all_count() {
    for (request, expected) in [
        (libc::TIOCSTI, Some(PERM)),
        (libc::TIOCLINUX | 1 << 40, Some(PERM)),
        (libc::TIOCGWINSZ, None),
    ] {
        for (arch, number) in [(X86_64, 16), (X86_64, X32_BIT | 514), (I386, 54)] {
            let got = errno(arch, number, [0, request, 0, 0, 0, 0]);
            assert_eq!(got, expected, "{request:#x}");
        }
    }
}

#[test]
fn another_architecture_is_killed() {
    for arch in [0, 0xc000_00b7, 0x4000_0028] {
        assert_eq!(run(&sample(), arch, 0, [0; 6]).0, KILL_PROCESS);
    }
}

#[test]
fn no_call_takes_more_than_a_few_comparisons() {
    let longest = (0..1024).map(|number| run(&sample(), X86_64, number, [0; 6]).1);
    assert!(longest.max().unwrap() <= 16);
}

#[test]
fn an_empty_filter_lets_everything_through() {
    let program = compile(&Seccomp { rules: vec![] }).unwrap();
    for number in [0, 56, 435, X32_BIT, u32::MAX] {
        assert_eq!(run(&program, X86_64, number, [0; 6]).0, ALLOW);
    }
}

#[test]
fn a_body_of_any_length_is_skipped_whole() {
    for length in [1, 255, 256, 1000] {
        let mut program = vec![load(NUMBER)];
        let mut body = vec![constant(AND, u32::MAX); length - 1];
        body.push(constant(RETURN, 1));
        program.extend(branch(IF_EQUAL, 7, body));
        program.push(constant(RETURN, 2));
        assert_eq!(run(&program, X86_64, 7, [0; 6]).0, 1, "{length}");
        assert_eq!(run(&program, X86_64, 8, [0; 6]).0, 2, "{length}");
    }
}

#[test]
fn what_cannot_be_compiled_is_named() {
    let told = |rule| {
        let rules = vec![rule];
        compile(&Seccomp { rules }).unwrap_err().to_string()
    };
    assert_eq!(
        told(refused(&["no_such"], None, PERM)),
        "the system call no_such in a filter is not known here"
    );
    let when = Some(Condition {
        argument: 6,
        mask: 1,
        value: 1,
    });
    assert!(told(refused(&["clone"], when, PERM)).contains("argument"));
}
