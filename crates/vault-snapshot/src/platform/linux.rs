//! The isolation of the throw-away server: from the network except loopback, and from the folders
//! that the cluster's audit devices write to. This process enters it for good, and its children
//! inherit it. They die with it.

use std::{
    ffi::OsString,
    fs, io,
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use nix::sched::{CloneFlags, unshare};
use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    net::{
        AddressFamily, SendFlags, SocketFlags, SocketType, netlink::SocketAddrNetlink, sendto,
        socket_with,
    },
    process::{
        DumpableBehavior, Pid, Signal, dumpable_behavior, getegid, geteuid, getppid,
        set_dumpable_behavior, set_parent_process_death_signal,
    },
};
use zts_cli::Failure;

use crate::cli::DIE_WITH_PARENT;

/// Leaves the network, unless `keep_network` is set or only loopback exists, and mounts an empty
/// folder over each of `hidden` that exists.
///
/// # Errors
/// The system does not allow it.
pub(crate) fn isolate(keep_network: bool, hidden: &[&Path]) -> Result<(), Failure> {
    let hidden: Vec<_> = hidden.iter().filter(|folder| folder.is_dir()).collect();
    let mut namespaces = CloneFlags::empty();
    if !keep_network && !has_only_loopback() {
        namespaces |= CloneFlags::CLONE_NEWNET;
    }
    if !hidden.is_empty() {
        namespaces |= CloneFlags::CLONE_NEWNS;
    }
    if namespaces.is_empty() {
        return Ok(());
    }
    let isolated = unshare_namespaces(namespaces).and_then(|()| {
        if namespaces.contains(CloneFlags::CLONE_NEWNET) {
            raise_loopback()?;
        }
        hidden
            .iter()
            .try_for_each(|folder| mount_empty_folder(folder))
    });
    isolated.map_err(|cause| {
        Failure::failed(format!(
            "the throw-away server cannot be isolated from the network and the audit log: {cause}"
        ))
        .hint("run as root, or allow user namespaces; `--with-network` and `--hide none` do without, at the risk that `--help` describes")
    })
}

/// Mounts an empty tmpfs over a folder, for this process and its children.
fn mount_empty_folder(folder: &Path) -> io::Result<()> {
    // Without private propagation, the mount would show in the parent namespace.
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tmpfs", folder, "tmpfs", flags, c"mode=0700")?;
    Ok(())
}

/// Returns whether there is only a working loopback, as in a unit with `PrivateNetwork=yes`.
fn has_only_loopback() -> bool {
    let Ok(devices) = fs::read_to_string("/proc/self/net/dev") else {
        return false;
    };
    let mut names = devices
        .lines()
        .skip(2)
        .filter_map(|line| line.split(':').next());
    names.all(|name| name.trim() == "lo") && loopback_works()
}

fn loopback_works() -> bool {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| TcpStream::connect(listener.local_addr()?))
        .is_ok()
}

fn unshare_namespaces(flags: CloneFlags) -> io::Result<()> {
    match unshare(flags) {
        Err(nix::errno::Errno::EPERM) => unshare_as_user(flags),
        result => result.map_err(Into::into),
    }
}

/// Unshares the namespaces inside a new user namespace, in which a user other than root may do so.
fn unshare_as_user(flags: CloneFlags) -> io::Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    // Only a process with one thread may do so: the threads that read the snapshot are about to
    // end.
    for _ in 0..40 {
        match unshare(CloneFlags::CLONE_NEWUSER | flags) {
            Err(nix::errno::Errno::EINVAL) => thread::sleep(Duration::from_millis(50)),
            Err(cause) => return Err(cause.into()),
            Ok(()) => {
                return with_writable_proc(|| {
                    fs::write("/proc/self/setgroups", "deny")?;
                    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
                    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
                });
            }
        }
    }
    Err(nix::errno::Errno::EINVAL.into())
}

/// Makes this process dumpable while `write` runs, because the files in `/proc` of other processes
/// belong to root. Meanwhile only the same user could read its memory.
fn with_writable_proc(write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let before = dumpable_behavior()?;
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    let written = write();
    set_dumpable_behavior(before)?;
    written
}

/// Sets the first interface, which is loopback, up, with a message of rtnetlink(7).
fn raise_loopback() -> io::Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST: u16 = 1;
    const LENGTH: u32 = 32;
    const LOOPBACK: i32 = 1;
    const IFF_UP: u32 = 1;
    let mut message = Vec::new();
    // struct nlmsghdr
    message.extend(LENGTH.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    message.extend([0; 8]); // sequence number, sender
    // struct ifinfomsg
    message.extend([0; 4]); // family, padding, type
    message.extend(LOOPBACK.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes()); // flags
    message.extend(IFF_UP.to_ne_bytes()); // mask of the flags to change
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None, // NETLINK_ROUTE
    )?;
    sendto(
        socket,
        &message,
        SendFlags::empty(),
        &SocketAddrNetlink::new(0, 0),
    )?;
    Ok(())
}

/// Returns a command that runs `program` through [`die_with_parent`].
pub(crate) fn command_that_dies_with_parent(program: &Path) -> Command {
    // the running program, also where its file has been renamed
    let mut command = Command::new("/proc/self/exe");
    let parent = std::process::id().to_string();
    command.arg(DIE_WITH_PARENT).arg(parent).arg(program);
    command
}

/// Replaces this process by `program`, which the kernel kills when the parent ends. Returns only on
/// failure.
///
/// The parent gives its id: one that ended before this process could ask has another in its place.
pub(crate) fn die_with_parent(parent: i32, program: &Path, arguments: &[OsString]) -> Failure {
    if let Err(cause) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return Failure::failed(format!("the parent-death signal could not be set: {cause}"));
    }
    if getppid().map(Pid::as_raw_pid) != Some(parent) {
        return Failure::failed("the parent process has ended");
    }
    let cause = Command::new(program).args(arguments).exec();
    Failure::failed(format!(
        "`{}` could not be started: {cause}",
        program.display()
    ))
}
