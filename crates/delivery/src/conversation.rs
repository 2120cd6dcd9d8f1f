//! Several questions to OpenBao over one connection, each within a deadline.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use openbao::{
    Address, AppRoleCredentials, Authentication, Client, Error, Settings, approle, deadline_in, kv,
    retry_until, sys,
};

use crate::{
    LastAnswer, Leaderless, Login, Logins, Patience, Refusal,
    error::says_denied,
    last_answer::Noted,
    leader,
    logins::Turn,
    question::{judge, worth_another_try},
};

/// The first and the longest pause between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];

/// The longest time that a process waits for another one's login.
const LONGEST_TURN: Duration = Duration::from_secs(2);

/// How a host gets at its secrets.
pub struct Access<'a> {
    /// How OpenBao is reached.
    pub settings: Settings,
    /// Who asks.
    pub credentials: AppRoleCredentials,
    /// How to log in.
    pub login: Login,
    /// The mount of the KV version 2 engine.
    pub kv_mount: &'a str,
    /// The mount of the AppRole auth method.
    pub approle_mount: &'a str,
    /// Where it is noted which server answered last.
    pub last_answer: Option<LastAnswer>,
    /// Where it is noted how logins went.
    pub logins: Option<Logins>,
}

impl<'a> Access<'a> {
    /// Begins to ask. Nothing is sent before the first question.
    ///
    /// # Errors
    /// No address, or root certificates that cannot be loaded.
    pub fn open(self, patience: Patience) -> Result<Conversation<'a>, Refusal> {
        let mut client = Client::new(self.settings.clone()).map_err(Refusal::Other)?;
        let noted = self.last_answer.as_ref().and_then(LastAnswer::read);
        let must_log_in = self.login == Login::First
            || self.login == Login::Auto && noted.as_ref().is_some_and(Noted::needs_login);
        if !must_log_in {
            client.authenticate(Authentication::Inline {
                mount: self.approle_mount.to_owned(),
                credentials: self.credentials.clone(),
            });
        }
        if let Some(noted) = &noted {
            client.prefer(noted.address());
        }
        Ok(Conversation {
            noted: client.address().clone(),
            identity: if must_log_in {
                Identity::NoTokenYet
            } else {
                Identity::Inline
            },
            knows_no_inline: false,
            went_on: false,
            access: self,
            client,
            patience,
        })
    }
}

/// Questions to OpenBao over one connection.
pub struct Conversation<'a> {
    access: Access<'a>,
    client: Client,
    patience: Patience,
    /// The server that the next process begins with.
    noted: Address,
    /// Whether the server that was asked first was of no use.
    went_on: bool,
    identity: Identity,
    /// Whether this conversation found that the server takes no notice of inline authentication.
    knows_no_inline: bool,
}

/// How the next question proves who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Identity {
    /// The login stands in the question's headers.
    Inline,
    /// A login comes first.
    NoTokenYet,
    /// A token from a login before.
    Token,
}

impl Conversation<'_> {
    /// A secret's newest version.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn read(&mut self, secret: &str) -> Result<kv::Secret, Refusal> {
        let mount = self.access.kv_mount;
        let question = |client: &Client| kv::read(client, mount, secret);
        match self.ask(question) {
            Err(Refusal::Gone(Error::NotFound { .. })) if self.is_kv_version_1() => {
                let mount = mount.to_owned();
                Err(Refusal::Other(Error::KvVersion1 { mount }))
            }
            Err(Refusal::Gone(absent)) => self.ask_active(absent, question),
            answer => answer,
        }
    }

    /// Whether there is nothing at the path because the engine keeps its secrets elsewhere. Only a token may
    /// ask that.
    fn is_kv_version_1(&mut self) -> bool {
        if self.identity != Identity::Token && self.log_in().is_err() {
            return false;
        }
        sys::visible_mount(&self.client, self.access.kv_mount)
            .is_ok_and(|mount| mount.is_kv_version_1())
    }

    /// The versions of one secret. That there are none decides nothing: the secret itself is read then.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn metadata(&mut self, secret: &str) -> Result<kv::SecretMetadata, Refusal> {
        let mount = self.access.kv_mount;
        self.ask(|client| kv::metadata(client, mount, secret))
    }

    /// What there is in a folder of secrets, with the versions of each. That there is nothing decides nothing.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn list(&mut self, folder: &str) -> Result<BTreeMap<String, kv::SecretMetadata>, Refusal> {
        let mount = self.access.kv_mount;
        self.ask(|client| kv::list_detailed(client, mount, folder))
    }

    /// Whether the server that answered serves without a leader, so that what it gave may be old. Costs no
    /// request where a leader was seen a moment ago and the server that was asked first is the one that answered.
    pub fn leaderless(&mut self) -> Option<Leaderless> {
        let last_answer = self.access.last_answer.as_ref();
        let note = last_answer.map(LastAnswer::of_leader);
        leader::missing(&mut self.client, note.as_deref(), self.went_on)
    }

    /// Asks again with growing pauses while no server can be used.
    fn ask<T>(&mut self, question: impl Fn(&Client) -> Result<T, Error>) -> Result<T, Refusal> {
        let deadline = deadline_in(self.patience.deadline);
        self.client.set_deadline(Some(deadline));
        let has_copy = self.patience.has_copy;
        let worth = |error: &Error| worth_another_try(error, has_copy);
        let answer = retry_until(deadline, PAUSES, worth, || self.ask_once(&question));
        self.note();
        answer.map_err(judge)
    }

    /// Asks the active node for what another did not have: a standby may lag behind.
    fn ask_active<T>(
        &self,
        absent: Error,
        question: impl Fn(&Client) -> Result<T, Error>,
    ) -> Result<T, Refusal> {
        match question(&self.client.active()) {
            Ok(answer) => Ok(answer),
            Err(error) if error.says_absent() => Err(judge(error)),
            Err(_) => Err(Refusal::Other(absent)),
        }
    }

    /// Notes which server answered, where that is another than before, and that it needs a login, where
    /// that was found out now.
    fn note(&mut self) {
        let answered = self.client.address();
        if self.noted == *answered && !self.knows_no_inline {
            return;
        }
        self.went_on |= self.noted != *answered;
        self.noted = answered.clone();
        if let Some(note) = &self.access.last_answer {
            let noted = Noted::new(answered.clone());
            note.write(&if self.knows_no_inline {
                noted.with_login(SystemTime::now())
            } else {
                noted
            });
        }
        self.knows_no_inline = false;
    }

    fn ask_once<T>(&mut self, question: impl Fn(&Client) -> Result<T, Error>) -> Result<T, Error> {
        if self.identity == Identity::NoTokenYet {
            self.log_in()?;
        }
        if self.identity == Identity::Token {
            return question(&self.client);
        }
        let turn = self.turn()?;
        let result = question(&self.client);
        match result {
            Err(Error::Denied { ref refusal, .. })
                // a server before 2.4 does not know the headers of inline authentication
                if self.access.login == Login::Auto && says_denied(refusal) =>
            {
                drop(turn); // nobody has logged in
                self.identity = Identity::NoTokenYet;
                self.log_in()?;
                let result = question(&self.client);
                // a token that is bound to another address is denied in the same words
                self.knows_no_inline = !matches!(&result, Err(Error::Denied { .. }));
                result
            }
            result => {
                turn.end(&result);
                result
            }
        }
    }

    fn log_in(&mut self) -> Result<(), Error> {
        let turn = self.turn()?;
        let Access {
            approle_mount,
            credentials,
            ..
        } = &self.access;
        let token = approle::login(&self.client, approle_mount, credentials);
        turn.end(&token);
        self.client.authenticate(Authentication::Token(token?));
        self.identity = Identity::Token;
        Ok(())
    }

    /// Waits until this host may try its credentials.
    fn turn(&self) -> Result<Turn, Error> {
        let Access {
            logins: Some(logins),
            credentials,
            approle_mount,
            ..
        } = &self.access
        else {
            return Ok(Turn::default());
        };
        let path = format!("auth/{approle_mount}/login");
        let patience = (self.patience.deadline / 4).min(LONGEST_TURN);
        logins.begin(credentials, &path, self.client.address(), patience)
    }
}
