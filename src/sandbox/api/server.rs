//! From request to answer: count, strike with a fault, authenticate, route; and the worker that lets tasks take effect.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use tokio::sync::Notify;

use crate::model::{Address, Domain};

use super::{
    Links,
    agenda::{Agenda, Job},
    auth,
    call::{Answer, Branch, Call, Problem, Reply},
    control,
    faults::{self, Fault, FaultKind, Faults, When},
    hosted, legacy,
    wire::{Cut, Door},
    world::{Task, TaskStatus, World},
    zimbra, zone,
};

/// No request of this API is larger.
const BODY_LIMIT: usize = 1 << 20;

/// What routes work on.
pub(super) struct Core {
    pub world: World,
    pub agenda: Agenda,
    pub links: Links,
}

impl Core {
    /// Accepts a change that takes effect after the task delay.
    pub(super) fn accept(&mut self, job: Job) -> Task {
        self.agenda.accept(&mut self.world, self.links.task_delay, job)
    }

    /// Counts an effect that needed no task.
    pub(super) fn did(&self, what: &str, service: &str, label: impl std::fmt::Display) {
        self.links.counters.add(&format!("effect.{what} {service} {label}"));
    }

    /// Publishes the live copy of a zone.
    pub(super) fn publish(&self, name: &Domain) {
        if let Some(zone) = self.world.zones.get(name) {
            self.links.dns.publish(name, zone.serial, &zone.name_servers, &zone.live);
        }
    }
}

/// What connections and the worker share.
pub(super) struct Shared {
    core: Mutex<Core>,
    pub links: Links,
    pub faults: Faults,
    wake: Notify,
    queries: AtomicU64,
}

impl Shared {
    pub(super) fn new(world: World, links: Links) -> Self {
        let core = Core { world, agenda: Agenda::default(), links: links.clone() };
        let (faults, wake, queries) = (Faults::default(), Notify::new(), AtomicU64::new(0));
        Self { core: Mutex::new(core), links, faults, wake, queries }
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_idle(&self) -> bool {
        let core = self.core();
        core.agenda.is_empty() && core.world.busy.is_empty()
    }

    pub(super) fn publish_all(&self) {
        let core = self.core();
        core.world.zones.keys().for_each(|name| core.publish(name));
    }

    /// Looks up how full the mailboxes are.
    pub(super) async fn measure_all(&self) {
        let all = self.core().world.mailboxes();
        for (service, login) in all {
            self.measure(&service, &login).await;
        }
    }

    async fn measure(&self, service: &str, login: &Address) {
        if let Ok(octets) = self.links.mail.usage(service, login).await {
            self.core().world.set_octets(service, login, octets);
        }
    }

    async fn answer(&self, call: &Call) -> Reply {
        if call.method == "GET" {
            let shown = self.core().world.mailboxes_shown(&call.segments);
            for (service, login) in shown {
                self.measure(&service, &login).await;
            }
        }
        let answer = route(&mut self.core(), call);
        self.wake.notify_one();
        answer.unwrap_or_else(|problem| problem.reply())
    }
}

/// Which product answers.
fn route(core: &mut Core, call: &Call) -> Answer {
    let path: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    auth::admit(&mut core.world, call)?;
    match (call.branch, path.as_slice()) {
        (Branch::V1, ["auth", rest @ ..]) => auth::route(&mut core.world, call, rest),
        (Branch::V1, ["me"]) if call.method == "GET" => Ok(auth::me(&core.world)),
        (Branch::V1, ["email", "exchange" | "pro" | "mxplan", ..]) => hosted::route(core, call, &path),
        (Branch::V1, ["email", "domain", rest @ ..]) => legacy::route(core, call, rest),
        (Branch::V1, ["domain", "zone", rest @ ..]) => zone::route(core, call, rest),
        (Branch::V2, ["zimbra", "platform", rest @ ..]) => zimbra::route(core, call, rest),
        _ => Err(Problem::no_route()),
    }
}

async fn serve(State(shared): State<Arc<Shared>>, ConnectInfo(cut): ConnectInfo<Cut>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return shared.response(Problem::bad("the body is too large").reply());
    };
    let text = |v: &axum::http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let headers: BTreeMap<String, String> =
        parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let target = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let raw = String::from_utf8_lossy(&bytes).into_owned();
    let Some(call) = Call::new(parts.method.as_str(), target, headers, raw) else {
        return shared.response(Problem::no_route().reply());
    };
    if call.branch == Branch::Sandbox {
        let reply = control::route(&shared, &call).await.unwrap_or_else(|problem| problem.reply());
        return shared.response(reply);
    }
    shared.links.counters.add(&format!("api.{} {}", call.method, call.path));
    if call.mutates() {
        shared.links.counters.add(&format!("mutating.{} {}", call.method, call.path));
    }
    let reply = match shared.faults.meet(&call.method, &call.path) {
        None => shared.answer(&call).await,
        Some(fault) => strike(&shared, &call, &fault, &cut).await,
    };
    shared.response(reply)
}

/// Answers a call as a fault wants it.
async fn strike(shared: &Shared, call: &Call, fault: &Fault, cut: &Cut) -> Reply {
    let nothing = || Reply::json(&serde_json::json!({ "id": 0, "status": "todo" }));
    let reply = match (&fault.kind, fault.when) {
        (FaultKind::Latency { ms }, _) => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            return shared.answer(call).await;
        }
        (FaultKind::Shuffled { .. }, _) | (_, When::After) => shared.answer(call).await,
        (_, When::Before) => nothing(),
    };
    match &fault.kind {
        FaultKind::Latency { .. } => reply,
        FaultKind::Status { code, retry_after } => {
            let side = if *code < 500 { "Client" } else { "Server" };
            let reply = Problem::new(*code, &format!("{side}::Injected"), "a fault was asked for").reply();
            match retry_after {
                Some(seconds) => reply.header("Retry-After", seconds.to_string()),
                None => reply,
            }
        }
        FaultKind::Drop => {
            cut.now();
            reply
        }
        FaultKind::Html => {
            let body = "<html><body><h1>It works, somewhere else</h1></body></html>".to_owned();
            Reply { status: 200, headers: Vec::new(), content_type: "text/html", body }
        }
        FaultKind::HalfJson => {
            let half = reply.body.chars().count().div_ceil(2);
            let body =
                if reply.body.len() < 8 { "{\"id\":".to_owned() } else { reply.body.chars().take(half).collect() };
            Reply { status: 200, body, ..reply }
        }
        FaultKind::Shuffled { turn } => Reply { body: faults::shuffled(&reply.body, *turn), ..reply },
        FaultKind::WrongType => Reply { status: 200, body: "\"a word where a document belongs\"".to_owned(), ..reply },
    }
}

impl Shared {
    /// Turns an answer into HTTP, with the request's id as every answer of the API has it.
    fn response(&self, reply: Reply) -> Response {
        let query = self.queries.fetch_add(1, Ordering::Relaxed);
        let mut response = Response::builder()
            .status(reply.status)
            .header("Content-Type", reply.content_type)
            .header("X-Ovh-QueryID", format!("EU.sandbox-1.{query:08x}"));
        for (name, value) in reply.headers {
            response = response.header(name, value);
        }
        response.body(Body::from(reply.body)).unwrap_or_default()
    }
}

/// Accepts connections until the task is aborted.
pub(super) async fn listen(shared: Arc<Shared>, listener: tokio::net::TcpListener) {
    let app = Router::new().fallback(serve).with_state(shared);
    let service = app.into_make_service_with_connect_info::<Cut>();
    if let Err(error) = axum::serve(Door(listener), service).await {
        tracing::error!(%error, "the sandbox's API ended");
    }
}

/// Lets accepted changes take effect, one at a time and in the order they are due.
pub(super) async fn work(shared: Arc<Shared>) {
    loop {
        let due = shared.core().agenda.take(Instant::now());
        match due {
            Some((id, job)) => perform(&shared, id, job).await,
            None => {
                let next = shared.core().agenda.next();
                match next {
                    Some(at) => tokio::select! {
                        () = tokio::time::sleep_until(at.into()) => {}
                        () = shared.wake.notified() => {}
                    },
                    None => shared.wake.notified().await,
                }
            }
        }
    }
}

async fn perform(shared: &Shared, id: u64, mut job: Job) {
    let mut status = TaskStatus::Done;
    if shared.core().world.settings.failing.contains(&job.function) {
        status = TaskStatus::Error;
        job.mail.clear();
    }
    for op in std::mem::take(&mut job.mail) {
        if let Err(error) = op.run(shared.links.mail.as_ref()).await {
            tracing::warn!(%error, function = job.function, object = job.label, "a sandbox task failed");
            status = TaskStatus::Error;
            break;
        }
    }
    let name = format!("effect.{} {} {}", job.function, job.service, job.label);
    let mut core = shared.core();
    if status == TaskStatus::Done {
        shared.links.counters.add(&name);
    }
    core.world.end(id, job, status);
    let dirty = std::mem::take(&mut core.world.unpublished);
    dirty.iter().for_each(|zone| core.publish(zone));
}
