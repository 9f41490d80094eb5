// sluice-egress: speaks SMTP from this host's sources.
#include "base/throughput.h"
#include "egress/service.h"
#include "wire/service_main.h"

int main(int argc, char** argv) {
  sluice::egress::EgressOptions options;
  sluice::Config config("egress");
  options.Bind(config);
  return sluice::wire::RunService(argc, argv, "sluice-egress",
                                  "Delivers mail over SMTP, bound to the sources of this host.",
                                  config, [&](sluice::ShutdownSignal& shutdown) {
                                    sluice::PreferThroughput();
                                    return sluice::egress::RunEgress(options, shutdown);
                                  });
}
