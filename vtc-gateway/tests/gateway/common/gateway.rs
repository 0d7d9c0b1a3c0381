//! A gateway to be asked.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use awc::{Client, Connector};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use vtc_gateway::demo::pod::SimulatedPod;
use vtc_gateway::reload::ReloadError;
use vtc_gateway::server;
use vtc_gateway::settings::{PodSetting, Settings, SettingsFile};

use super::question::{Events, Question, Reply};
use super::scripted_pod::ScriptedPod;
use super::soon;
use super::wire::Message;

/// A gateway that serves: in this process until it is dropped, or in another.
pub struct Gateway {
    pub address: SocketAddr,
    client: Client,
    handle: Option<ServerHandle>,
    /// The admin's key, if it has one.
    admin: Option<&'static str>,
    /// What its workers share, if it serves in this process.
    state: Option<Data<vtc_gateway::gateway::Gateway>>,
}

/// The admin's key, and its hash.
const ADMIN: &str = "key-of-admin";
const ADMIN_HASH: &str = "57fcf72d7b3693f562ccebb3dc0e5164ee1d84381b0842c060e6959e0f772cbf";

/// Whatever the gateway can have for a pod.
pub trait Pod {
    fn setting(&self) -> PodSetting;
}

/// Pods are asked for their models at the start, and when one fails; else only once in that time.
const HARDLY_EVER: Duration = Duration::from_secs(3600);

/// The settings of a gateway before these pods, with this configuration file.
fn settings(pods: &[&dyn Pod], toml: &str) -> Settings {
    let mut file = SettingsFile::parse(toml).unwrap();
    file.listen = Some("127.0.0.1:0".to_owned());
    file.workers = Some(1);
    file.pods = pods.iter().map(|pod| pod.setting()).collect();
    if !toml.contains("poll_interval") {
        file.upstream.poll_interval = HARDLY_EVER;
    }
    Settings::new(file, |_| None).unwrap()
}

// === impl Gateway ===

impl Gateway {
    /// A gateway before these pods, each of which has been asked for its models.
    pub async fn before(pods: &[&dyn Pod]) -> Self {
        Self::configured(pods, "").await
    }

    /// A gateway before these pods, with this configuration file.
    pub async fn configured(pods: &[&dyn Pod], toml: &str) -> Self {
        let settings = settings(pods, toml);
        let serving = server::start(&settings).await.unwrap();
        actix_web::rt::spawn(serving.server);
        let mut gateway = Self::at(serving.address);
        gateway.handle = Some(serving.handle);
        gateway.state = Some(serving.gateway);
        gateway
    }

    /// Puts other settings in force.
    pub async fn reload(&self, pods: &[&dyn Pod], toml: &str) -> Result<(), ReloadError> {
        soon(self.state.as_ref().unwrap().reload(&settings(pods, toml))).await
    }

    /// The same with an admin, who asks whatever is not asked of pods.
    pub async fn administered(pods: &[&dyn Pod], toml: &str) -> Self {
        let toml = format!("{toml}\n[admin]\nkey_sha256 = {ADMIN_HASH:?}");
        let mut gateway = Self::configured(pods, &toml).await;
        gateway.admin = Some(ADMIN);
        gateway
    }

    /// One that runs already.
    pub fn at(address: SocketAddr) -> Self {
        // Of crowds none shall wait for a connection.
        let connector = Connector::new().limit(0);
        let client = Client::builder().connector(connector).disable_timeout().no_default_headers().finish();
        Self { address, client, handle: None, admin: None, state: None }
    }

    pub async fn get(&self, path: &str) -> Reply {
        let mut request = self.client.get(self.url(path));
        if let Some(key) = self.admin {
            request = request.bearer_auth(key);
        }
        let mut response = soon(request.send()).await.unwrap();
        let body = soon(response.body().limit(1 << 24)).await.unwrap();
        Reply { status: response.status().as_u16(), headers: response.headers().clone(), body }
    }

    pub async fn get_with_key(&self, path: &str, key: &str) -> Reply {
        let mut response = soon(self.client.get(self.url(path)).bearer_auth(key).send()).await.unwrap();
        let body = soon(response.body().limit(1 << 24)).await.unwrap();
        Reply { status: response.status().as_u16(), headers: response.headers().clone(), body }
    }

    /// What it counts.
    pub async fn metrics(&self) -> String {
        String::from_utf8(self.get("/metrics").await.body.to_vec()).unwrap()
    }

    /// What an admin sends.
    pub async fn order(&self, method: &str, path: &str, body: &str) -> Reply {
        let mut request = self.client.request(method.parse().unwrap(), self.url(path));
        if let Some(key) = self.admin {
            request = request.bearer_auth(key);
        }
        let mut response = soon(request.send_body(body.to_owned())).await.unwrap();
        let body = soon(response.body()).await.unwrap();
        Reply { status: response.status().as_u16(), headers: response.headers().clone(), body }
    }

    /// What it tells of the pod of that name.
    pub async fn pod(&self, name: &str) -> Value {
        let pods = self.get_json("/v1/vtc/pods").await;
        let pods = pods["pods"].as_array().unwrap();
        pods.iter().find(|pod| pod["pod"] == name).cloned().unwrap_or_default()
    }

    /// Waits until it tells that of the pod of that name.
    pub async fn until_pod(&self, name: &str, member: &str, value: impl Into<Value>) {
        let value = value.into();
        soon(async { while self.pod(name).await[member] != value {} }).await;
    }

    pub async fn get_json(&self, path: &str) -> Value {
        self.get(path).await.json()
    }

    /// Asks, and waits for the whole reply.
    pub async fn ask(&self, question: Question) -> Reply {
        soon(self.asking(question)).await
    }

    /// Asks. Aborting the task is the client's leaving.
    pub fn start_asking(&self, question: Question) -> JoinHandle<Reply> {
        actix_web::rt::spawn(soon(self.asking(question)))
    }

    /// Asks for a stream. The task ends when its head is there.
    pub fn start_streaming(&self, question: Question) -> JoinHandle<Events> {
        let (request, body) = question.clone().into_parts(self.client.post(self.url(question.path)));
        actix_web::rt::spawn(async move {
            let response = soon(request.send_body(body)).await.unwrap();
            assert_eq!(response.status(), 200);
            Events::new(response.headers().clone(), response)
        })
    }

    /// Asks for a stream, and waits for its head.
    pub async fn stream(&self, question: Question) -> Events {
        self.start_streaming(question).await.unwrap()
    }

    /// Sends these very bytes and reads the reply.
    pub async fn exchange(&self, bytes: impl AsRef<[u8]>) -> Message {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        connection.write_all(bytes.as_ref()).await.unwrap();
        soon(Message::read(&mut connection)).await.unwrap()
    }

    /// Sends these very bytes and reads until the gateway closes the connection.
    pub async fn exchange_to_the_end(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        connection.write_all(bytes.as_ref()).await.unwrap();
        let mut reply = String::new();
        soon(connection.read_to_string(&mut reply)).await.unwrap();
        reply
    }

    /// How many tokens that user has.
    pub async fn tokens(&self, user: &str) -> f64 {
        let users = self.get_json("/v1/vtc/users").await;
        let users = users["users"].as_array().unwrap();
        users
            .iter()
            .find(|entry| entry["user"] == user)
            .map_or(0.0, |entry| entry["tokens"].as_f64().unwrap())
    }

    /// Whether nobody has any tokens.
    pub async fn has_charged_nobody(&self) -> bool {
        let users = self.get_json("/v1/vtc/users").await;
        users["active"] == 0 && users["users"].as_array().unwrap().is_empty()
    }

    /// How many requests are in flight to all pods together.
    pub async fn in_flight(&self) -> u64 {
        let pods = self.get_json("/v1/vtc/pods").await;
        pods["pods"].as_array().unwrap().iter().map(|pod| pod["running"].as_u64().unwrap()).sum()
    }

    /// The one queue that there is.
    pub async fn queue(&self) -> Value {
        let queues = self.get_json("/v1/vtc/queues").await;
        let pools = queues["pools"].as_array().unwrap();
        assert_eq!(pools.len(), 1, "{queues}");
        pools[0].clone()
    }

    /// Asks, and waits until so many requests wait in the queue.
    pub async fn line_up(&self, question: Question, waiting: u64) -> JoinHandle<Reply> {
        let reply = self.start_asking(question);
        self.until_waiting(waiting).await;
        reply
    }

    /// Waits until so many requests wait in the queue.
    pub async fn until_waiting(&self, requests: u64) {
        soon(async { while self.queue().await["waiting"] != requests {} }).await;
    }

    /// Waits until nothing is in flight. A request gives back its place when everything about it is settled.
    pub async fn until_idle(&self) {
        soon(async { while self.in_flight().await > 0 {} }).await;
    }

    /// Waits until so many pods are ready.
    pub async fn until_ready(&self, pods: u64) {
        soon(async { while self.get_json("/healthz").await["pods_ready"] != pods {} }).await;
    }

    fn asking(&self, question: Question) -> impl Future<Output = Reply> + 'static {
        let (request, body) = question.clone().into_parts(self.client.post(self.url(question.path)));
        async move {
            let mut response = request.send_body(body).await.unwrap();
            let body = response.body().limit(1 << 24).await.unwrap();
            Reply { status: response.status().as_u16(), headers: response.headers().clone(), body }
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            // The order is given by the call; only its end would have to be awaited.
            drop(handle.stop(false));
        }
    }
}

// === impl Pod ===

impl Pod for ScriptedPod {
    fn setting(&self) -> PodSetting {
        PodSetting::new(self.name, format!("http://{}", self.address))
    }
}

impl Pod for SimulatedPod {
    fn setting(&self) -> PodSetting {
        PodSetting::new(self.name(), self.url())
    }
}
