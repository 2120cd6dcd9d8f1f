//! Owner, group and mode of files.

use std::{fmt, str::FromStr};

use nix::unistd::{Group, User};
use rustix::fs::{Gid, Mode, Uid};
use zts_secure_fs::to_mode;

use crate::error::Error;

/// The mode of a secret's files: three octal digits, and not writable by others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(u32);

impl FromStr for FileMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mode = u32::from_str_radix(text, 8)
            .map_err(|_| "a mode is an octal number, such as `0400`")?;
        if mode > 0o777 {
            return Err("a mode has three octal digits, such as `0400`");
        }
        if mode & 0o002 != 0 {
            return Err("a secret that everybody may write is none");
        }
        Ok(Self(mode))
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04o}", self.0)
    }
}

impl FileMode {
    /// Returns the mode of a file.
    pub(crate) fn of_files(self) -> Mode {
        to_mode(self.0)
    }

    /// Returns the mode of the directory. Users that may read the files may list and enter it. The
    /// directory belongs to this process's user, so another owner of the files may enter it only as
    /// a member of the group or as one of the others.
    fn of_directory(self, owner_is_another: bool) -> Mode {
        let may_read = self.0 & 0o444;
        let owner = if rustix::process::geteuid().is_root() {
            0o500
        } else {
            0o700
        };
        let others = if owner_is_another { 0o055 } else { 0 };
        to_mode(may_read | (may_read >> 2) | owner | others)
    }
}

/// Owner, group and mode of a secret's files.
#[derive(Clone, Copy, Debug)]
pub struct Ownership {
    /// The owner; `None` for the user of this process.
    pub user: Option<Uid>,
    /// The group; `None` for the group of this process.
    pub group: Option<Gid>,
    /// The files' mode.
    pub mode: FileMode,
}

impl Ownership {
    /// Looks up the names.
    ///
    /// # Errors
    /// [`Error::UnknownAccount`] and [`Error::LookUp`].
    pub fn look_up(user: Option<&str>, group: Option<&str>, mode: FileMode) -> Result<Self, Error> {
        Ok(Self {
            user: user.map(look_up_user).transpose()?,
            group: group.map(look_up_group).transpose()?,
            mode,
        })
    }

    /// Returns the mode of the directory. The directory stays this user's for any owner of the
    /// files: its owner could make it writable and replace a file by a link, which systemd follows
    /// as root.
    pub(crate) fn directory_mode(&self) -> Mode {
        let this = rustix::process::geteuid();
        self.mode
            .of_directory(self.user.is_some_and(|user| user != this))
    }

    /// Returns the bits that this adds to the mode of a directory with the group of `secret`.
    /// Members of another group are others to that directory.
    pub(crate) fn directory_mode_in(&self, secret: Self) -> Mode {
        let mode = self.directory_mode();
        if self.group == secret.group || !mode.contains(Mode::RGRP) {
            return mode;
        }
        mode | Mode::ROTH | Mode::XOTH
    }
}

/// Parses the number of a user or group. The highest number is invalid: the kernel takes it as
/// "unchanged".
fn parse_id(name: &str) -> Option<u32> {
    name.parse().ok().filter(|number| *number != u32::MAX)
}

/// Returns the number of the user or group (`kind`) `name`, which `find` looks up.
fn look_up(
    kind: &'static str,
    name: &str,
    find: impl FnOnce(&str) -> nix::Result<Option<u32>>,
) -> Result<u32, Error> {
    if let Some(number) = parse_id(name) {
        return Ok(number);
    }
    match find(name) {
        Ok(Some(number)) => Ok(number),
        Ok(None) => Err(Error::UnknownAccount {
            kind,
            name: name.to_owned(),
        }),
        Err(cause) => Err(Error::LookUp {
            kind,
            name: name.to_owned(),
            cause: cause.into(),
        }),
    }
}

fn look_up_user(name: &str) -> Result<Uid, Error> {
    let find = |name: &str| Ok(User::from_name(name)?.map(|user| user.uid.as_raw()));
    look_up("user", name, find).map(Uid::from_raw)
}

fn look_up_group(name: &str) -> Result<Gid, Error> {
    let find = |name: &str| Ok(Group::from_name(name)?.map(|group| group.gid.as_raw()));
    look_up("group", name, find).map(Gid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal_and_private() {
        assert_eq!(
            "0440".parse::<FileMode>().unwrap().of_files(),
            Mode::from_raw_mode(0o440)
        );
        for mode in ["", "x", "0999", "4755", "0666", "0402", "-1"] {
            assert!(mode.parse::<FileMode>().is_err(), "{mode}");
        }
    }

    #[test]
    fn readers_of_the_files_may_enter_the_directory() {
        let directory = |mode: &str| {
            mode.parse::<FileMode>()
                .unwrap()
                .of_directory(false)
                .as_raw_mode()
                & 0o077
        };
        assert_eq!(directory("0400"), 0);
        assert_eq!(directory("0440"), 0o050);
        assert_eq!(directory("0444"), 0o055);
        let of_another = "0400".parse::<FileMode>().unwrap().of_directory(true);
        assert_eq!(of_another.as_raw_mode() & 0o077, 0o055);
    }
}
