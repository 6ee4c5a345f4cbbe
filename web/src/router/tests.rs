//! What is answered when every place where work is done is taken.

use std::net::TcpListener;
use std::sync::Arc;

use ingest::{Ingest, IngestConfig};
use olap::{DuckOptions, DuckStore, Store};
use registry::Registry;

use super::*;
use crate::config::Config;
use crate::limits::REQUESTS_INFLIGHT_MAX;

fn state(folder: &std::path::Path, config: Config) -> State {
    let registry = Registry::in_memory().unwrap();
    let store: Arc<dyn Store> = Arc::new(DuckStore::in_memory(&DuckOptions::default()).unwrap());
    let ingest = Ingest::start(
        IngestConfig::new(folder.to_owned()),
        registry.clone(),
        Arc::clone(&store),
    );
    let soap = soap::Service::new(registry.clone(), Arc::clone(&store), &config.public_url);
    State::new(registry, store, Arc::new(ingest.unwrap()), soap, config)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_no_place_gets_an_answer_of_his_kind_and_monitoring_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let state = state(folder.path(), Config::loopback(address));
    let places = u32::try_from(REQUESTS_INFLIGHT_MAX).unwrap();
    let taken = state.admission.acquire_many(places).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(crate::serve(
        listener,
        None,
        router(state.clone()),
        state.connections().clone(),
        async {
            let _ = stopped.await;
        },
    ));
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .build()
        .into();
    let asked = ["/login", "/api/v1/devices", "/soap/v1", "/healthz"].map(|path| {
        let agent = agent.clone();
        tokio::task::spawn_blocking(move || {
            let url = format!("http://{address}{path}");
            let answer = match path {
                "/soap/v1" => agent.post(url).send("<x/>"),
                _ => agent.get(url).call(),
            };
            let mut answer = answer.unwrap();
            let body = answer.body_mut().read_to_string().unwrap();
            let retry = answer.headers().contains_key("retry-after");
            (answer.status().as_u16(), retry, body)
        })
    });
    let [page, api, soap, health] = asked;
    let (status, retry, body) = page.await.unwrap();
    assert_eq!((status, retry), (503, true));
    assert!(body.contains("</html>"), "{body}");
    let (status, retry, body) = api.await.unwrap();
    assert_eq!((status, retry), (503, true));
    assert!(body.contains("try again later"), "{body}");
    let (status, retry, body) = soap.await.unwrap();
    assert_eq!((status, retry), (503, true));
    assert!(!body.is_empty());
    assert_eq!(health.await.unwrap().0, 200);
    drop(taken);
    let url = format!("http://{address}/login");
    let again = tokio::task::spawn_blocking(move || agent.get(url).call().unwrap().status());
    assert_eq!(again.await.unwrap(), 200);
    state.ingest.stop();
    drop(stop);
    served.await.unwrap().unwrap();
}
