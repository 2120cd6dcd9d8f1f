//! A DNS server that knows one name, and that answers for IPv6 as broken ones do.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
    path::Path,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::scratch::{ScratchDir, scratch_dir};

/// The pause after which the server looks whether it has to end.
const POLL: Duration = Duration::from_millis(50);

/// The answer of a [`DnsServer`] to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsAnswer {
    /// 127.0.0.1, or no address for IPv6: the right answer.
    Right,
    /// NXDOMAIN: there is no such name.
    NoSuchName,
    /// SERVFAIL.
    Failure,
    /// None at all.
    Silence,
}

/// A DNS server with which every name has the address 127.0.0.1. `Drop` ends it.
#[derive(Debug)]
pub struct DnsServer {
    etc: ScratchDir,
    is_ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl DnsServer {
    /// Starts it with its answers to questions for IPv4 and for IPv6. `None` where this user may
    /// not listen on port 53.
    pub fn start(ipv4: DnsAnswer, ipv6: DnsAnswer) -> Option<Self> {
        let (socket, address) = bind()?;
        let etc = scratch_dir();
        for (name, content) in [
            ("resolv.conf", format!("nameserver {address}\n").as_str()),
            ("nsswitch.conf", "hosts: files dns\n"),
            ("hosts", "127.0.0.1 localhost\n"),
            ("passwd", "root:x:0:0:root:/root:/bin/sh\n"),
            ("group", "root:x:0:\n"),
        ] {
            fs::write(etc.join(name), content).expect("a file of the folder is written");
        }
        let is_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&is_ended);
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                answer_one(&socket, ipv4, ipv6);
            }
        });
        Some(Self {
            etc,
            is_ended,
            thread: Some(thread),
        })
    }

    /// Returns a folder to use in place of `/etc`, which names this server.
    pub fn etc(&self) -> &Path {
        &self.etc
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.is_ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Binds port 53 of a loopback address that no parallel test has. `resolv.conf` names no port.
fn bind() -> Option<(UdpSocket, Ipv4Addr)> {
    static COUNT: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = process::id().to_be_bytes();
    let candidates = (0..20).map(|_| {
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        Ipv4Addr::new(127, 100 + count % 100, high, low)
    });
    let mut bound =
        candidates.filter_map(|address| Some((UdpSocket::bind((address, 53)).ok()?, address)));
    let (socket, address) = bound.next()?;
    let timeout = socket.set_read_timeout(Some(POLL));
    timeout.expect("a socket gets a timeout");
    Some((socket, address))
}

/// Waits for a question, not longer than [`POLL`], and answers it.
fn answer_one(socket: &UdpSocket, ipv4: DnsAnswer, ipv6: DnsAnswer) {
    const A: [u8; 2] = [0, 1];
    const AAAA: [u8; 2] = [0, 28];
    let mut packet = [0; 512];
    let Ok((length, client)) = socket.recv_from(&mut packet) else {
        return;
    };
    // a header of 12 bytes, the name's labels, their end, type and class
    let Some(end) = packet[..length].iter().skip(12).position(|byte| *byte == 0) else {
        return;
    };
    let (question, kind) = (12 + end + 5, [packet[12 + end + 1], packet[12 + end + 2]]);
    let answer = if kind == AAAA { ipv6 } else { ipv4 };
    let code = match answer {
        DnsAnswer::Right => 0,
        DnsAnswer::NoSuchName => 3,
        DnsAnswer::Failure => 2,
        DnsAnswer::Silence => return,
    };
    let has_address = answer == DnsAnswer::Right && kind == A;
    let mut reply = packet[..2].to_vec(); // the question's number
    reply.extend([
        0x81,
        0x80 | code,
        0,
        1,
        0,
        u8::from(has_address),
        0,
        0,
        0,
        0,
    ]);
    reply.extend(&packet[12..question]);
    if has_address {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]); // the same name, A, IN, no caching
        reply.extend(Ipv4Addr::LOCALHOST.octets());
    }
    let _ = socket.send_to(&reply, client); // it may have ended
}
