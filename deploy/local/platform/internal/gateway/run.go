package gateway

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"openclaw.io/local/platform/internal/kube"
)

const (
	workers = 8
	// A gateway counts its routes; when many come at once it counts them once.
	gatewayDelay = 200 * time.Millisecond
)

// Controller writes the statuses.
type Controller struct {
	client     *kube.Client
	classes    cache.SharedIndexInformer
	gateways   cache.SharedIndexInformer
	routes     cache.SharedIndexInformer
	namespaces cache.SharedIndexInformer
	services   cache.SharedIndexInformer
	grants     cache.SharedIndexInformer
	queue      workqueue.TypedRateLimitingInterface[item]

	mu       sync.Mutex
	attached map[string][]attachment // by route
}

type item struct{ kind, key string }

// New makes a Controller.
func New(client *kube.Client) *Controller {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[item](20*time.Millisecond, 5*time.Second)
	return &Controller{
		client: client, attached: map[string][]attachment{}, queue: workqueue.NewTypedRateLimitingQueue(limiter),
		classes: client.Informer(kube.GatewayClasses), gateways: client.Informer(kube.Gateways), routes: client.Informer(kube.HTTPRoutes),
		namespaces: client.Informer(kube.Namespaces), services: client.Informer(kube.Services),
		grants: client.Informer(kube.ReferenceGrants),
	}
}

// Run works until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	defer c.queue.ShutDown()
	c.on(c.classes, relevant, func(key string) { c.queue.Add(item{"class", key}) })
	c.on(c.gateways, relevant, func(key string) { c.queue.Add(item{"gateway", key}) })
	c.on(c.routes, relevant, func(key string) { c.queue.Add(item{"route", key}) })
	// What routes are judged by. A gateway's status is not: it counts them, and is written for each that comes.
	c.on(c.classes, decisive, func(string) { c.all(c.gateways, "gateway"); c.all(c.routes, "route") })
	c.on(c.gateways, decisive, func(string) { c.all(c.routes, "route") })
	c.on(c.namespaces, decisive, c.routesIn)
	c.on(c.services, decisive, func(key string) { namespace, _, _ := strings.Cut(key, "/"); c.routesIn(namespace) })
	c.on(c.grants, decisive, func(string) { c.all(c.routes, "route") })
	var synced []cache.InformerSynced
	for _, informer := range []cache.SharedIndexInformer{c.classes, c.gateways, c.routes, c.namespaces, c.services, c.grants} {
		go informer.RunWithContext(ctx)
		synced = append(synced, informer.HasSynced)
	}
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return errors.New("the gateway stand-in was stopped before its caches were filled")
	}
	for range workers {
		go c.work(ctx)
	}
	<-ctx.Done()
	return nil
}

func (c *Controller) on(informer cache.SharedIndexInformer, matters func(old, now any) bool, changed func(key string)) {
	notify := func(object any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object); err == nil {
			changed(key)
		}
	}
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: notify, DeleteFunc: notify, UpdateFunc: func(old, now any) {
			if matters(old, now) {
				notify(now)
			}
		},
	})
}

// relevant: what may need another status. Our own status writes come back as updates, and need no answer; a status written by somebody
// else does.
func relevant(old, now any) bool {
	return decisive(old, now) || !reflect.DeepEqual(statusOf(old), statusOf(now))
}

// decisive: what others are judged by. Kinds without generations, such as Services, are judged by their being there.
func decisive(old, now any) bool {
	a, ok := old.(*unstructured.Unstructured)
	b, also := now.(*unstructured.Unstructured)
	if !ok || !also {
		return true
	}
	return a.GetGeneration() != b.GetGeneration() || !reflect.DeepEqual(a.GetLabels(), b.GetLabels()) || a.GetUID() != b.GetUID()
}

func statusOf(object any) any {
	if u, ok := object.(*unstructured.Unstructured); ok {
		return u.Object["status"]
	}
	return nil
}

func (c *Controller) all(informer cache.SharedIndexInformer, kind string) {
	for _, key := range informer.GetIndexer().ListKeys() {
		c.queue.Add(item{kind, key})
	}
}

func (c *Controller) routesIn(namespace string) {
	keys, _ := c.routes.GetIndexer().IndexKeys(cache.NamespaceIndex, namespace)
	for _, key := range keys {
		c.queue.Add(item{"route", key})
	}
}

func (c *Controller) work(ctx context.Context) {
	for {
		next, stop := c.queue.Get()
		if stop {
			return
		}
		var err error
		switch next.kind {
		case "class":
			err = c.syncClass(ctx, next.key)
		case "gateway":
			err = c.syncGateway(ctx, next.key)
		case "route":
			err = c.syncRoute(ctx, next.key)
		}
		if err != nil && ctx.Err() == nil {
			c.queue.AddRateLimited(next)
		} else {
			c.queue.Forget(next)
		}
		c.queue.Done(next)
	}
}

func (c *Controller) syncClass(ctx context.Context, key string) error {
	object, exists, _ := c.classes.GetIndexer().GetByKey(key)
	if !exists {
		return nil
	}
	u := object.(*unstructured.Unstructured)
	if name, _, _ := unstructured.NestedString(u.Object, "spec", "controllerName"); name != controller {
		return nil
	}
	type withStatus struct {
		Status struct {
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	class, ok := decode[withStatus](u)
	if !ok {
		return nil
	}
	conditions := merge(class.Status.Conditions, condition("Accepted", true, "Accepted", "accepted by the local stand-in", u.GetGeneration()))
	if reflect.DeepEqual(conditions, class.Status.Conditions) {
		return nil
	}
	return c.writeStatus(ctx, kube.GatewayClasses, u, map[string]any{"conditions": conditions})
}

func (c *Controller) syncGateway(ctx context.Context, key string) error {
	object, exists, _ := c.gateways.GetIndexer().GetByKey(key)
	gw, ok := decode[gatewayObject](object)
	if !exists || !ok || !c.ours(gw) {
		return nil
	}
	status := gatewayStatusOf(gw, c.count(key))
	if reflect.DeepEqual(status, gw.Status) {
		return nil
	}
	return c.writeStatus(ctx, kube.Gateways, object.(*unstructured.Unstructured), status)
}

func (c *Controller) syncRoute(ctx context.Context, key string) error {
	object, exists, _ := c.routes.GetIndexer().GetByKey(key)
	if !exists {
		c.attach(key, nil)
		return nil
	}
	route, ok := decode[routeObject](object)
	if !ok {
		return nil
	}
	parents, attached := routeStatus(c, route)
	c.attach(key, attached)
	if reflect.DeepEqual(parents, route.Status.Parents) || len(parents)+len(route.Status.Parents) == 0 {
		return nil
	}
	return c.writeStatus(ctx, kube.HTTPRoutes, object.(*unstructured.Unstructured), map[string]any{"parents": parents})
}

// writeStatus sends the resourceVersion that was judged: a newer object is judged anew.
func (c *Controller) writeStatus(ctx context.Context, resource schema.GroupVersionResource, object *unstructured.Unstructured, status any) error {
	changed := object.DeepCopy()
	plain, err := toPlain(status)
	if err != nil {
		return err
	}
	changed.Object["status"] = plain
	_, err = c.client.Resource(resource).Namespace(object.GetNamespace()).UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// attach notes where a route is attached, and lets the gateways that it came to or left count again.
func (c *Controller) attach(route string, now []attachment) {
	c.mu.Lock()
	before := c.attached[route]
	if len(now) == 0 {
		delete(c.attached, route)
	} else {
		c.attached[route] = now
	}
	c.mu.Unlock()
	if reflect.DeepEqual(before, now) {
		return
	}
	for _, a := range slices.Concat(before, now) {
		c.queue.AddAfter(item{"gateway", a.gateway}, gatewayDelay)
	}
}

func (c *Controller) count(gateway string) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[string]int{}
	for _, attachments := range c.attached {
		seen := map[string]bool{} // a route counts once, however many of its parentRefs lead here
		for _, a := range attachments {
			if a.gateway == gateway && !seen[a.listener] {
				seen[a.listener] = true
				counts[a.listener]++
			}
		}
	}
	return counts
}
