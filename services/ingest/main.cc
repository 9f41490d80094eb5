#include "ingest/service.h"
#include "wire/service_main.h"

int main(int argc, char** argv) {
  sluice::ingest::Settings settings;
  sluice::Config config("ingest");
  settings.Bind(config);
  return sluice::wire::RunService(argc, argv, "sluice-ingest",
                                  "Takes submissions over gRPC and commits them to PostgreSQL.",
                                  config, [&](sluice::ShutdownSignal& shutdown) {
                                    return sluice::ingest::RunIngest(settings, shutdown);
                                  });
}
