//! What the throw-away server is kept from: the network, but for loopback, and the folders that the cluster's audit
//! devices write to. This process leaves them for good, and those that it starts never had them.

use std::{
    fs, io,
    net::{TcpListener, TcpStream},
    path::Path,
    thread,
    time::Duration,
};

use cli::Failure;
use nix::sched::{CloneFlags, unshare};
use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    net::{
        AddressFamily, SendFlags, SocketFlags, SocketType, netlink::SocketAddrNetlink, sendto,
        socket_with,
    },
    process::{DumpableBehavior, dumpable_behavior, getegid, geteuid, set_dumpable_behavior},
};

/// Leaves the network, unless there is none in reach already or `keep_network` says so, and puts an empty folder
/// in the place of each of `hidden` that is there.
///
/// # Errors
/// The system does not allow it.
pub(crate) fn enter(keep_network: bool, hidden: &[&Path]) -> Result<(), Failure> {
    let hidden: Vec<_> = hidden.iter().filter(|folder| folder.is_dir()).collect();
    let mut leaves = CloneFlags::empty();
    if !keep_network && !has_only_loopback() {
        leaves |= CloneFlags::CLONE_NEWNET;
    }
    if !hidden.is_empty() {
        leaves |= CloneFlags::CLONE_NEWNS;
    }
    if leaves.is_empty() {
        return Ok(());
    }
    let left = leave(leaves).and_then(|()| {
        if leaves.contains(CloneFlags::CLONE_NEWNET) {
            raise_loopback()?;
        }
        hidden.iter().try_for_each(|folder| hide(folder))
    });
    left.map_err(|cause| {
        Failure::failed(format!(
            "the throw-away server cannot be kept off the network and the audit log: {cause}"
        ))
        .hint("run as root, or allow user namespaces; `--with-network` and `--hide none` do without, at the risk that `--help` tells")
    })
}

/// Puts an empty folder in memory in its place, for this process and those that it starts.
fn hide(folder: &Path) -> io::Result<()> {
    // What is mounted here shows nowhere else.
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tmpfs", folder, "tmpfs", flags, c"mode=0700")?;
    Ok(())
}

/// As in a unit with `PrivateNetwork=yes`, where it is up.
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

fn leave(flags: CloneFlags) -> io::Result<()> {
    match unshare(flags) {
        Err(nix::errno::Errno::EPERM) => leave_as_user(flags),
        left => left.map_err(Into::into),
    }
}

/// Who is not root becomes so in a user namespace of its own, which has rights on nothing else.
fn leave_as_user(flags: CloneFlags) -> io::Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    // Only a process of one thread may: those that read the snapshot are about to end.
    for _ in 0..40 {
        match unshare(CloneFlags::CLONE_NEWUSER | flags) {
            Err(nix::errno::Errno::EINVAL) => thread::sleep(Duration::from_millis(50)),
            Err(cause) => return Err(cause.into()),
            Ok(()) => {
                return with_own_proc(|| {
                    fs::write("/proc/self/setgroups", "deny")?;
                    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
                    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
                });
            }
        }
    }
    Err(nix::errno::Errno::EINVAL.into())
}

/// The files in `/proc` of a process that leaves no core dump are root's, and this one leaves none: but for the moment
/// that `write` takes, they are its user's. Who could look in then has that user's files anyhow.
fn with_own_proc(write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let before = dumpable_behavior()?;
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    let written = write();
    set_dumpable_behavior(before)?;
    written
}

/// The message of rtnetlink(7) that sets the first interface, which is loopback, up.
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
    message.extend(IFF_UP.to_ne_bytes()); // which of them count
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
